/** Postrider's own commands through commander, but with our streams and exit codes instead of the process's. */
import path from 'node:path';
import { Command, CommanderError, Option } from 'commander';
import { dataFolder } from '../config/data-folder.ts';
import { exitCodes, guarded, type CliIo } from './io.ts';

/** A command of that name with --data; `dataOf` reads it. */
export function command(name: string, description: string, io: CliIo): Command {
  return new Command(name)
    .description(description)
    .addOption(new Option('--data <dir>', 'data folder (default: POSTRIDER_DATA, or the platform’s own)'))
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
    })
    .exitOverride();
}

export function dataOf(options: { data?: string | undefined }, io: CliIo): string {
  return options.data === undefined ? dataFolder(io.env) : path.resolve(options.data);
}

/** Parses and runs; the action gives the exit code. A usage error is 64, help 0. */
export function runCommand(
  program: Command,
  argv: readonly string[],
  io: CliIo,
  action: () => Promise<number>,
): Promise<number> {
  return guarded(program.name(), io, async () => {
    try {
      program.parse([...argv], { from: 'user' });
    } catch (error) {
      if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
      throw error;
    }
    return action();
  });
}
