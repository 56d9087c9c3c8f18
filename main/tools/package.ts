/**
 * `npm run package`: the built app of this platform, unpacked, in out/, with whatever Electron is in use and its fuses
 * set as electron-builder.yml says. With the stand-in it is for development only, and says so.
 */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { build as buildPackage, Platform } from 'electron-builder';
import { build } from './build.ts';
import { findElectron } from './electron.ts';
import { out, root } from './paths.ts';

const say = (line: string): void => void process.stderr.write(`${line}\n`);

const electron = await findElectron(say);
if ('missing' in electron) {
  say(`Nothing can be packaged: ${electron.missing}.`);
  process.exit(1);
}
await build({ announce: say });
await rm(path.join(out, 'linux-unpacked'), { recursive: true, force: true });
const standIn = electron.kind === 'stand-in';
await buildPackage({
  projectDir: root,
  targets: Platform.current().createTarget('dir'),
  publish: 'never',
  config: {
    extends: path.join(root, 'electron-builder.yml'),
    electronDist: electron.folder,
    electronVersion: electron.version,
    // The stand-in's loader would come before our archive.
    afterPack: async ({ appOutDir }) => {
      if (standIn) await rm(path.join(appOutDir, 'resources', 'app'), { recursive: true, force: true });
    },
  },
});
if (standIn) say(`Packaged for development only: Electron ${electron.version} is a stand-in, not what users get.`);
