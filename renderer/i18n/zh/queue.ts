/** What the Queue page says. */
import type { queue as english } from '../en/queue.ts';
import type { Shape } from '../shape.ts';

export const queue: Shape<typeof english> = {
  title: '队列',
};
