/** Servers that a test file's tests start, closed after each test. */
import { afterEach } from 'vitest';
import { startServer, type TestServer } from './server.ts';

/** Gives what starts one; to be called where the test file's hooks are set. */
export function serversPerTest(): typeof startServer {
  const open: TestServer[] = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map((server) => server.close()));
  });
  return async (mainCf, options) => {
    const server = await startServer(mainCf, options);
    open.push(server);
    return server;
  };
}
