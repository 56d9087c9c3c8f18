/** What the Send page says. */
import type { send as english } from '../en/send.ts';
import type { Shape } from '../shape.ts';

export const send: Shape<typeof english> = {
  title: '发送',
};
