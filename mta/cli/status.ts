/** `postrider status`: what runs on the data folder. Exit 69 when nothing does. */
import { command, dataOf, runCommand } from './commander.ts';
import { exitCodes, withServer, write, type Run } from './io.ts';
import type { Overview } from '../contract/server.ts';

export const run: Run = (argv, io) => {
  const program = command('status', 'Show what the running mail server does.', io).option(
    '--json',
    'the whole overview as one JSON object',
  );
  return runCommand(program, argv, io, async () => {
    const options = program.opts<{ data?: string; json?: boolean }>();
    const overview = await withServer(io, dataOf(options, io), (server) => server.call('server.overview', {}));
    await write(io.stdout, options.json === true ? `${JSON.stringify(overview)}\n` : describe(overview));
    return exitCodes.ok;
  });
};

function describe(overview: Overview): string {
  const { queue, flow } = overview;
  const listeners = overview.listeners.map(({ address, port, tls, wanted }) => {
    const host = address.includes(':') ? `[${address}]` : address;
    return `${host}:${port}${tls === 'none' ? '' : ` (${tls})`}${wanted === undefined ? '' : `, instead of ${wanted}, which was taken`}`;
  });
  const rows: [string, string][] = [
    ['server', `${overview.software} ${overview.version}, ${overview.profile} profile, pid ${overview.pid ?? '?'}`],
    ['name', `${overview.hostname} (${overview.domain})`],
    ['data', overview.dataFolder ?? '?'],
    ['SMTP', listeners.length === 0 ? 'no listener' : listeners.join(', ')],
    [
      'queue',
      `${queue.incoming} incoming, ${queue.active} active, ${queue.deferred} deferred, ${queue.hold} on hold, ${queue.corrupt} corrupt`,
    ],
    [
      'since start',
      `${flow.received} received, ${flow.rejected} rejected, ${flow.delivered} delivered, ${flow.relayed} relayed, ${flow.deferred} deferred, ${flow.bounced} bounced`,
    ],
    ['mailboxes', `${overview.mailboxes}, ${overview.messages} messages`],
  ];
  const findings = overview.findings
    .filter(({ level }) => level !== 'info')
    .map(({ level, message, file, line }) => {
      const place = file === undefined ? '' : `${file}${line === undefined ? '' : `, line ${line}`}: `;
      return `${level}: ${place}${message}\n`;
    });
  return rows.map(([name, value]) => `${`${name}:`.padEnd(13)}${value}\n`).join('') + findings.join('');
}
