/** The English catalogue: one file an area. */
import { frame } from './frame.ts';
import { inbox } from './inbox.ts';
import { log } from './log.ts';
import { overview } from './overview.ts';
import { queue } from './queue.ts';
import { send } from './send.ts';

export const en = { frame, inbox, overview, queue, log, send };
