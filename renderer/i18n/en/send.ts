/** What the Send page says. */
export const send = {
  title: 'Send',
};
