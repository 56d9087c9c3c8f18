/**
 * The MTA inside Electron's utilityProcess: gives the command line what it has as a child of Node, `process.send` and a
 * polite SIGTERM, then runs it. The first argument is the program, the rest are its own.
 */
import { pathToFileURL } from 'node:url';

const { parentPort } = process;
const [program, ...args] = process.argv.slice(2);
if (program === undefined) throw new Error('The program to run is missing');

process.send = (message: unknown) => {
  parentPort.postMessage(message);
  return true;
};
// There is no channel that could be cut: Electron ends a utilityProcess together with the app.
process.connected = true;
process.disconnect = () => undefined;
parentPort.on('message', ({ data }) => {
  if (data === 'stop') process.emit('SIGTERM', 'SIGTERM');
});
process.argv.splice(1, process.argv.length, program, ...args);

await import(pathToFileURL(program).href);
