import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromBase64, isRemote, linkTarget, quotedLines, rewriteCss, safeFileName } from './content.ts';

describe('file names', () => {
  it.each([
    ['../../etc/passwd', 'passwd'],
    ['C:\\Windows\\evil.exe', 'evil.exe'],
    ['.bashrc', 'bashrc'],
    ['cod\u202egpj.exe', 'codgpj.exe'],
    ['a\u0000b\r\n.txt', 'ab.txt'],
    ['..', 'fallback'],
    ['', 'fallback'],
  ])('%j is offered as %j', (name, safe) => expect(safeFileName(name, 'fallback')).toBe(safe));
  it('never has a separator and is never empty', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        const safe = safeFileName(name, 'part');
        expect(safe).not.toMatch(/[\\/\p{Cc}]/u);
        expect(safe).not.toBe('');
        expect(safe.startsWith('.')).toBe(false);
      }),
    );
  });
});

describe('links', () => {
  it('shows look-alike letters in their ASCII form', () => {
    expect(linkTarget('https://аpple.com/login')).toMatchObject({ host: 'xn--pple-43d.com', kind: 'web' });
  });
  it('names the host, not the user that pretends to be one', () => {
    expect(linkTarget('https://bank.test@evil.test/')?.host).toBe('evil.test');
  });
  it.each([
    'javascript:alert(1)',
    'data:text/html,x',
    'file:///etc/passwd',
    'vbscript:x',
    '/relative',
    'ftp://x.test',
    '',
  ])('does not open %j', (href) => expect(linkTarget(href)).toBeUndefined());
  it('opens mail addresses', () => expect(linkTarget('mailto:help@shop.test')).toMatchObject({ kind: 'mail' }));
});

describe('styles', () => {
  const remote = (css: string): string[] => {
    const seen: string[] = [];
    rewriteCss(css, (address) => {
      seen.push(address);
      return undefined;
    });
    return seen;
  };
  it('finds every address, however it is quoted', () => {
    expect(
      remote(`a{background:url("https://a.test/1")} b{background:URL( 'https://b.test/2' )} c{src:url(//c.test/3)}`),
    ).toEqual(['https://a.test/1', 'https://b.test/2', '//c.test/3']);
  });
  it('takes out imports and empties what is refused', () => {
    expect(
      rewriteCss(
        '@import url("https://a.test/x.css"); @import "b.css";p{background:url(https://a.test/i)}',
        () => undefined,
      ),
    ).toBe(' p{background:none}');
  });
  it('knows what is remote', () => {
    expect(['http://a', ' HTTPS://a', '//a'].every(isRemote)).toBe(true);
    expect(['cid:x', 'data:image/png;base64,', '/a', 'a//b'].some(isRemote)).toBe(false);
  });
});

it('tells the depth of quoting', () => {
  expect(quotedLines('hi\r\n> a\n>> b\n> > c\nx > y').map(({ depth }) => depth)).toEqual([0, 1, 2, 2, 0]);
});

it('decodes base64', () => expect([...fromBase64('AP+A')]).toEqual([0, 255, 128]));
