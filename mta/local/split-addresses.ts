/** The right-hand side of an alias: addresses separated by commas or white space; quotes keep a token together. Linear. */
export function splitAddresses(value: string): string[] {
  const tokens: string[] = [];
  let token = '';
  let quoted = false;
  for (let i = 0; i < value.length; i++) {
    const char = value.charAt(i);
    if (char === '\\' && i + 1 < value.length) {
      token += char + value.charAt(++i);
    } else if (char === '"') {
      quoted = !quoted;
      token += char;
    } else if (!quoted && (char === ',' || char === ' ' || char === '\t' || char === '\n')) {
      if (token !== '') tokens.push(token);
      token = '';
    } else {
      token += char;
    }
  }
  if (token !== '') tokens.push(token);
  return tokens.map((text) => (text.startsWith('<') && text.endsWith('>') ? text.slice(1, -1) : text));
}
