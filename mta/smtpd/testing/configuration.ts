/** A configuration from the text of a main.cf, for tests: host mail.example.test, data in a folder of the test's own. */
import { checkFiles } from '../../config/load.ts';
import type { Configuration } from '../../config/configuration.ts';

export function testConfiguration(dataFolder: string, mainCf = ''): Configuration {
  const text = `compatibility_level = 3.6\nmyhostname = mail.example.test\nmydomain = example.test\n${mainCf}\n`;
  return checkFiles(`${dataFolder}/etc`, text, '', { dataFolder, hostname: 'mail.example.test' }).configuration;
}
