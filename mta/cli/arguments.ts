/** How a Postfix command begins: `--data`, its letters, and its usage line when they are wrong. */
import { getopt, type Options } from './getopt.ts';
import { exitCodes, Fatal, takeData, write, type CliIo } from './io.ts';

export interface Command {
  readonly name: string;
  /** getopt(3)'s. */
  readonly letters: string;
  readonly usage: string;
  /** Exit code for wrong options. */
  readonly failure?: number | undefined;
}

export interface Arguments extends Pick<Options, 'options' | 'operands'> {
  /** The data folder. Throws `bad-input` when it cannot be told. */
  readonly data: () => string;
  /** The letters there are. */
  readonly given: ReadonlySet<string>;
}

/** Throws Fatal with the usage line, after getopt(3)'s complaint, for an option that is wrong. */
export async function readArguments(command: Command, argv: readonly string[], io: CliIo): Promise<Arguments> {
  const { data, rest } = takeData(argv, io.env);
  const { options, operands, problem } = getopt(rest, command.letters);
  if (problem !== undefined) {
    await write(io.stderr, `${command.name}: ${problem}\n`);
    throw new Fatal(command.failure ?? exitCodes.failure, command.usage);
  }
  return { data, options, operands, given: new Set(options.map(({ letter }) => letter)) };
}

/** The rule of the contract's QueueId, without loading the contract. */
export function isQueueId(text: string): boolean {
  return /^[0-9A-Za-z]{1,64}$/.test(text);
}
