/** What the Log page says. */
import { plural } from '../format.ts';

export const log = {
  title: 'Log',
  live: 'Live',
  paused: 'Paused while you read back',
  search: 'Search the log',
  lines: 'Log lines',
  levels: { all: 'All', warning: 'Warnings', error: 'Errors' },
  level: 'Level',
  wrap: 'Wrap long lines',
  copySelected: (count: number) => plural('en', count, { one: 'Copy # line', other: 'Copy # lines' }),
  copied: (count: number) => plural('en', count, { one: '# line copied', other: '# lines copied' }),
  fresh: (count: number) => plural('en', count, { one: '# new line', other: '# new lines' }),
  toEnd: 'Go to the newest line',
  only: (id: string) => `Only lines of ${id}`,
  openInQueue: (id: string) => `Open ${id} in the queue`,
  loadingOlder: 'Reading further back…',
  start: 'The log begins here.',
  capped: (count: string) => `Only the newest ${count} lines are kept here. Narrow the filter to see older ones.`,
  empty: {
    title: 'Nothing has been logged yet',
    body: 'Every connection, message and delivery writes its lines here, in the words of Postfix. Send a message and watch.',
  },
  nothing: { title: 'No line fits', body: 'Try fewer words, or take a term out of the filter.' },
  problem: 'The log cannot be read',
};
