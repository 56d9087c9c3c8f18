/**
 * A process that adds (and partly settles) messages until it is killed, and prints each id once it was acknowledged:
 * `adder.ts <spool> <prefix> [count]`. With a count it ends by itself and prints `refused <name>` for what failed.
 */
import { openQueueStore } from '../sqlite-store.ts';
import { newMessage } from './messages.ts';

const [spool = '', prefix = '', count] = process.argv.slice(2);
const store = await openQueueStore(spool);
const limit = count === undefined ? Infinity : Number(count);
let next = 0;
const say = (line: string): void => void process.stdout.write(`${line}\n`);

await Promise.all(
  Array.from({ length: 10 }, async () => {
    while (next < limit) {
      const id = `${prefix}${String(next++)}`;
      try {
        await store.add(newMessage(id, { text: `${id} `.repeat(500) }));
        say(id);
      } catch (error) {
        say(`refused ${error instanceof Error ? error.name : ''}`);
      }
    }
  }),
);
await store.close();
