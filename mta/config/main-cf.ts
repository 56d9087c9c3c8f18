/**
 * main.cf, parsed: `name = value` in logical lines. Keeps every setting, the overridden ones too, with its line.
 * Throws ConfigurationError for what Postfix refuses (no `=`, no name); everything else is somebody else's to judge.
 */
import type { Finding } from '../contract/server.ts';
import { ConfigurationError } from './errors.ts';
import { settingLines } from './logical-lines.ts';
import { lookalikeHint } from './lookalikes.ts';

export interface Setting {
  readonly name: string;
  /** As written, before $expansion. */
  readonly value: string;
  readonly line: number;
}

export interface MainCf {
  /** The last setting of each name: the one that counts. */
  readonly settings: ReadonlyMap<string, Setting>;
  readonly findings: readonly Finding[];
}

export function parseMainCf(text: string, file: string): MainCf {
  const settings = new Map<string, Setting>();
  const findings: Finding[] = [];
  for (const { text: logical, line } of settingLines(text, file, findings)) {
    const setting = splitNameValue(logical, file, line);
    const earlier = settings.get(setting.name);
    // As Postfix: twice the same does no harm.
    if (earlier !== undefined && earlier.value !== setting.value) {
      findings.push({
        level: 'warning',
        code: 'duplicate-parameter',
        message: `overriding earlier entry: ${setting.name}=${earlier.value}`,
        file,
        line,
      });
    }
    settings.set(setting.name, { ...setting, line });
  }
  return { settings, findings };
}

/** Splits `name = value`. Throws ConfigurationError in the words of postconf, with a remedy. */
export function splitNameValue(text: string, file: string, line?: number): { name: string; value: string } {
  const equals = text.indexOf('=');
  const name = (equals === -1 ? text : text.slice(0, equals)).trim();
  if (name === '' && equals !== -1) {
    throw new ConfigurationError(file, line, `missing attribute name: "${text}"; write name = value`);
  }
  if (equals === -1 || /\s/.test(name)) {
    throw new ConfigurationError(
      file,
      line,
      `missing '=' after attribute name: "${text}"; write name = value, and start a continued value's next lines with a space.${lookalikeHint(name)}`,
    );
  }
  if (!/^[A-Za-z0-9_.+-]+$/.test(name)) {
    throw new ConfigurationError(
      file,
      line,
      `"${name}" cannot be a parameter name: use ASCII letters, digits and _ only.${lookalikeHint(name)}`,
    );
  }
  return { name, value: text.slice(equals + 1).trim() };
}
