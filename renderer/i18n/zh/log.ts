/** What the Log page says. */
import type { log as english } from '../en/log.ts';
import type { Shape } from '../shape.ts';

export const log: Shape<typeof english> = {
  title: '日志',
};
