/** The header fields of a message's source. */

/** The fields before the first empty line, unfolded (RFC 5322 §2.2.3); a line that is no field ends them. */
export function headerFields(text: string): [name: string, value: string][] {
  const fields: [string, string][] = [];
  for (const line of text.split(/\r\n|\n/)) {
    if (line === '') break;
    const last = fields.at(-1);
    if (/^[ \t]/.test(line)) {
      if (last !== undefined) last[1] += `\n${line.trim()}`;
      continue;
    }
    const colon = line.indexOf(':');
    if (colon <= 0 || /\s/.test(line.slice(0, colon).trimEnd())) break;
    fields.push([line.slice(0, colon).trimEnd(), line.slice(colon + 1).trim()]);
  }
  return fields;
}
