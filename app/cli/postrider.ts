#!/usr/bin/env node
/**
 * The command line: `postrider <command>`, and Postfix's own commands under their own names when called through a link
 * (`sendmail`, `mailq`, `newaliases`, …).
 *
 * Promises: only the command asked for is loaded. Ends with the command's code; usage errors with 64 (EX_USAGE), and
 * what goes wrong is one line on stderr.
 */
import path from 'node:path';
import { keepCompiled } from './compile-cache.ts';

async function main(calledAs: string, args: readonly string[]): Promise<number> {
  const { commands, summaries } = await import('#mta/cli/commands.ts');
  const linked = Object.hasOwn(commands, calledAs);
  const name = linked ? calledAs : (args[0] ?? '');
  if (Object.hasOwn(commands, name)) {
    const load = commands[name];
    if (load !== undefined) return await (await load()).run(linked ? args : args.slice(1), process);
  }
  const { runOwn } = await import('./own-commands.ts');
  return await runOwn(args, summaries);
}

keepCompiled(process.env);

function end(code: number): void {
  // What was written must be out first; a handle somewhere must not keep us.
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
}

// A reader that left (`postrider … | head`) is no fault.
process.stdout.on('error', () => process.exit(0));

const called = path.basename(process.argv[1] ?? '').replace(/\.(?:[cm]?[jt]s|exe|cmd)$/, '');
main(called, process.argv.slice(2)).then(end, async (error: unknown) => {
  const { complain } = await import('./errors.ts');
  end(complain(error));
});
