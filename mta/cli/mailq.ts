/** mailq(1): the queue, as `postqueue -p` prints it. sendmail's own mailq options (-v, -Ac) change nothing here. */
import { guarded, takeData, type Run } from './io.ts';
import { run as postqueue } from './postqueue.ts';

export const run: Run = (argv, io) =>
  guarded('mailq', io, () => postqueue(['--data', takeData(argv, io.env).data(), '-p'], io));
