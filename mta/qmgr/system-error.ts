/** System errors in the words that Postfix's log has (strerror(3)), from Node's errors. */
import { getSystemErrorMessage } from 'node:util';

/** libuv's words differ from strerror's in more than the first letter. */
const strerror = new Map([
  ['EHOSTUNREACH', 'No route to host'],
  ['ETIMEDOUT', 'Connection timed out'],
  ['EPIPE', 'Broken pipe'],
  ['EDQUOT', 'Disk quota exceeded'],
  ['EFBIG', 'File too large'],
  ['EIO', 'Input/output error'],
  ['EROFS', 'Read-only file system'],
]);

export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** `Connection refused`, `No space left on device`; the error's own message when it is not a system error. */
export function systemErrorText(error: unknown): string {
  const known = strerror.get(errorCode(error) ?? '');
  if (known !== undefined) return known;
  if (typeof error === 'object' && error !== null && 'errno' in error && typeof error.errno === 'number') {
    const text = getSystemErrorMessage(error.errno);
    if (typeof text === 'string') return text.charAt(0).toUpperCase() + text.slice(1);
  }
  return error instanceof Error ? error.message : String(error);
}
