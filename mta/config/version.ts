/** The version of this program. The bundle carries it inside: package.json need not lie beside it. */
import packageFile from '../../package.json' with { type: 'json' };

export function version(): string {
  return packageFile.version;
}
