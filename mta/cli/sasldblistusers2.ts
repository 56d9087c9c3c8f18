/** sasldblistusers2(8): the SMTP users, `user@realm: userPassword` each. A missing file is said, and exit 0, as there. */
import { access } from 'node:fs/promises';
import { openSaslUsers } from '../smtpd/sasl/users.ts';
import { getopt } from './getopt.ts';
import { exitCodes, Fatal, guarded, takeData, write, type Run } from './io.ts';
import { usersFile } from './sasl-file.ts';

export const run: Run = (argv, io) =>
  guarded('sasldblistusers2', io, async () => {
    const { data, rest } = takeData(argv, io.env);
    const { options, operands, problem } = getopt(rest, 'f:');
    if (problem !== undefined || operands.length > 0) {
      throw new Fatal(exitCodes.usage, 'usage: sasldblistusers2 [-f file] [--data dir]');
    }
    const file = options.at(-1)?.value ?? (await usersFile(data()));
    const there = await access(file).then(
      () => true,
      () => false,
    );
    if (!there) {
      await write(io.stderr, `listusers failed: ${file} is not there; saslpasswd2 -c makes it\n`);
      return exitCodes.ok;
    }
    const users = await openSaslUsers(file).list();
    await write(io.stdout, users.map(({ user, realm }) => `${user}@${realm}: userPassword\n`).join(''));
    return exitCodes.ok;
  });
