/**
 * SCRAM-SHA-256 verifiers (RFC 5802, RFC 7677): what is kept of a password.
 *
 * Promises: the password cannot be read back from a verifier; the work runs on libuv's pool, never on the event loop;
 * comparing takes the same time wherever the difference is.
 */
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const derive = promisify(pbkdf2);

/** Bytes are base64. */
export interface ScramVerifier {
  readonly salt: string;
  readonly iterations: number;
  readonly storedKey: string;
  readonly serverKey: string;
}

/** RFC 7677 asks for at least 4096; this costs a few milliseconds of one core. */
export const defaultIterations = 20_000;

const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const sha256 = (data: Buffer): Buffer => createHash('sha256').update(data).digest();

/** Compatibility composition, so that the same password typed on two keyboards is the same bytes (RFC 4013 §2.2). */
function prepare(password: string): string {
  return password.normalize('NFKC');
}

/** Makes a verifier with a fresh salt. */
export async function makeVerifier(password: string, iterations = defaultIterations): Promise<ScramVerifier> {
  const salt = randomBytes(16);
  const salted = await derive(prepare(password), salt, iterations, 32, 'sha256');
  return {
    salt: salt.toString('base64'),
    iterations,
    storedKey: sha256(hmac(salted, 'Client Key')).toString('base64'),
    serverKey: hmac(salted, 'Server Key').toString('base64'),
  };
}

/** Whether the password is the one the verifier was made from. */
export async function checkPassword(password: string, verifier: ScramVerifier): Promise<boolean> {
  const salt = Buffer.from(verifier.salt, 'base64');
  const salted = await derive(prepare(password), salt, verifier.iterations, 32, 'sha256');
  const stored = Buffer.from(verifier.storedKey, 'base64');
  const computed = sha256(hmac(salted, 'Client Key'));
  return stored.length === computed.length && timingSafeEqual(stored, computed);
}
