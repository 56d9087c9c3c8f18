/** What the Log page says. */
export const log = {
  title: 'Log',
};
