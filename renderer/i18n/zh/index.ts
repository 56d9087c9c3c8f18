/** The Simplified Chinese catalogue: one file an area. */
import type { en } from '../en/index.ts';
import type { Shape } from '../shape.ts';
import { frame } from './frame.ts';
import { inbox } from './inbox.ts';
import { log } from './log.ts';
import { overview } from './overview.ts';
import { queue } from './queue.ts';
import { send } from './send.ts';

export const zh: Shape<typeof en> = { frame, inbox, overview, queue, log, send };
