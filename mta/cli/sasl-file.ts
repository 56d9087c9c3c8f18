/** Where the SMTP users are: postrider_sasl_users, or its default when there is no configuration yet. */
import path from 'node:path';
import { readCliConfiguration } from './configuration.ts';

export async function usersFile(data: string): Promise<string> {
  const configuration = await readCliConfiguration(data);
  return configuration?.text('postrider_sasl_users') ?? path.join(data, 'sasl', 'users');
}
