/** What the Queue page says. */
export const queue = {
  title: 'Queue',
};
