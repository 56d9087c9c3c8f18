/**
 * The certificate of the SMTP server: the one that main.cf names, or a self-signed one made at the first start.
 *
 * Promises: the self-signed key and certificate are one file, mode 0600, written whole; it is made anew when it is about to
 * expire, names another host, or does not read. Fails: `bad-input` naming parameter and file when a certificate that
 * main.cf names cannot be read or does not fit its key.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { Configuration } from '../config/configuration.ts';
import type { MailLog } from '../maillog/log.ts';
import { badInput, errorMessage } from '../contract/errors.ts';
import { makeFolder } from '../files/make-folder.ts';
import { writeWhole } from '../files/write-whole.ts';

/** PEM texts. `cert` may hold a chain. */
export interface TlsMaterial {
  readonly key: string;
  readonly cert: string;
  readonly selfSigned: boolean;
}

export type TlsLevel = 'none' | 'may' | 'encrypt';

/** Clients refuse certificates that are valid for longer (CA/Browser Forum, 825 days). */
const validDays = 825;
const renewDays = 30;
const day = 86_400_000;

/** smtpd_tls_security_level; unset: smtpd_enforce_tls, smtpd_use_tls, else `may` where a certificate makes itself. */
export function tlsLevel(configuration: Configuration): TlsLevel {
  const level = configuration.text('smtpd_tls_security_level').toLowerCase();
  if (level === 'none' || level === 'may' || level === 'encrypt') return level;
  if (level !== '') throw badInput('smtpd_tls_security_level', `"${level}" is not one of none, may, encrypt`);
  if (configuration.bool('smtpd_enforce_tls')) return 'encrypt';
  return configuration.bool('smtpd_use_tls') || configuration.bool('postrider_tls_auto') ? 'may' : 'none';
}

function wanted(configuration: Configuration): boolean {
  return tlsLevel(configuration) !== 'none' || configuration.bool('smtpd_tls_wrappermode');
}

/** Key and certificate as configured; undefined when no listener wants TLS or there is no certificate to offer. */
export async function openTls(configuration: Configuration, log?: MailLog): Promise<TlsMaterial | undefined> {
  const services = configuration.services.filter(({ type, command }) => type === 'inet' && command === 'smtpd');
  const any = wanted(configuration) || services.some((service) => wanted(configuration.forService(service)));
  if (!any) return undefined;
  const chain = configuration.list('smtpd_tls_chain_files');
  if (chain.length > 0) {
    const texts = await Promise.all(chain.map((file) => readNamed('smtpd_tls_chain_files', file)));
    const text = texts.join('\n');
    return checked({ key: text, cert: text, selfSigned: false }, 'smtpd_tls_chain_files');
  }
  const certFile = configuration.text('smtpd_tls_cert_file');
  if (certFile !== '' && certFile !== 'none') {
    const keyFile = configuration.text('smtpd_tls_key_file') || certFile;
    const cert = await readNamed('smtpd_tls_cert_file', certFile);
    const key = keyFile === certFile ? cert : await readNamed('smtpd_tls_key_file', keyFile);
    return checked({ key, cert, selfSigned: false }, 'smtpd_tls_cert_file');
  }
  if (!configuration.bool('postrider_tls_auto')) return undefined;
  const folder = configuration.text('postrider_tls_folder');
  return selfSigned(folder, configuration.text('myhostname'), Date.now(), (file) => {
    log?.line('smtpd', `made a self-signed certificate: ${file}`);
  });
}

async function readNamed(parameter: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw badInput(parameter, `${parameter}: cannot read ${file}: ${errorMessage(error)}`);
  }
}

function checked(material: TlsMaterial, parameter: string): TlsMaterial {
  try {
    createSecureContext({ key: material.key, cert: material.cert });
  } catch (error) {
    throw badInput(parameter, `${parameter}: the certificate and key cannot be used: ${errorMessage(error)}`);
  }
  return material;
}

/** The certificate in `<folder>/smtpd.pem`, made when there is none that serves. */
export async function selfSigned(
  folder: string,
  hostname: string,
  now = Date.now(),
  onMade?: (file: string) => void,
): Promise<TlsMaterial> {
  const file = join(folder, 'smtpd.pem');
  const found = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (found !== undefined && serves(found, hostname, now)) return { key: found, cert: found, selfSigned: true };

  // Needed once in two years, and heavy.
  const { generate } = await import('selfsigned');
  const made = await generate([{ name: 'commonName', value: hostname.slice(0, 64) }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notBeforeDate: new Date(now - day),
    notAfterDate: new Date(now + validDays * day),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          ...[...new Set([hostname, 'localhost'])].map((value) => ({ type: 2 as const, value })),
          { type: 7, ip: '127.0.0.1' },
          { type: 7, ip: '::1' },
        ],
      },
    ],
  });
  const text = `${made.private.trim()}\n${made.cert.trim()}\n`;
  await makeFolder(folder);
  await writeWhole(file, text);
  onMade?.(file);
  return { key: text, cert: text, selfSigned: true };
}

function serves(text: string, hostname: string, now: number): boolean {
  try {
    const certificate = new X509Certificate(text);
    return (
      certificate.checkPrivateKey(createPrivateKey(text)) &&
      certificate.checkHost(hostname) !== undefined &&
      certificate.validFromDate.getTime() <= now &&
      certificate.validToDate.getTime() - now > renewDays * day
    );
  } catch {
    return false;
  }
}
