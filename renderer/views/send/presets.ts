/** Messages to start from, and the form as state that stays while the app runs (never the password). Pure but for that. */
export type Preset = 'plain' | 'html' | 'long' | 'chinese';
export const presets: readonly Preset[] = ['plain', 'html', 'long', 'chinese'];

/** A two-tone square, 16 by 16: small enough to stand in the source. */
const image =
  'data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHdpZHRoPSI2NCIgaGVpZ2h0PSI2NCIgdmlld0JveD0iMCAwIDY0IDY0Ij48cmVjdCB3aWR0aD0iNjQiIGhlaWdodD0iNjQiIHJ4PSIxNCIgZmlsbD0iIzJhNWJkNyIvPjxwYXRoIGQ9Ik0xNiAyNGgzMnYyMEgxNnoiIGZpbGw9Im5vbmUiIHN0cm9rZT0iI2ZmZiIgc3Ryb2tlLXdpZHRoPSI0Ii8+PHBhdGggZD0iTTE2IDI0bDE2IDEyIDE2LTEyIiBmaWxsPSJub25lIiBzdHJva2U9IiNmZmYiIHN0cm9rZS13aWR0aD0iNCIvPjwvc3ZnPg==';

const html = `<!doctype html>
<html><body style="margin:0;padding:32px;font:15px/1.6 system-ui,sans-serif;color:#1b1c1a">
  <img src="${image}" width="64" height="64" alt="">
  <h1 style="font-size:22px;margin:16px 0 8px">Thank you, Ada</h1>
  <p>Your order <b>#10293</b> left the warehouse today.</p>
  <p><a href="https://shop.example/orders/10293">Follow it</a></p>
</body></html>
`;

const paragraph =
  'It was a bright cold day, and the post went out all the same: along the lanes, over the bridge, up to the last house, where the dog knew the step and did not bark. ';

const chinese = {
  subject: '您好，这是一封测试邮件：订单已发货 📦',
  text: '您好：\n\n这封邮件用来检查中文主题和正文是否正确编码与显示。\n\n此致\n敬礼\n',
};

export interface Content {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

export function contentOf(
  preset: Preset,
  words: { plainSubject: string; plainText: string; htmlSubject: string; longSubject: string },
): Content {
  switch (preset) {
    case 'plain':
      return { subject: words.plainSubject, text: words.plainText, html: '' };
    case 'html':
      return {
        subject: words.htmlSubject,
        text: 'Thank you, Ada.\n\nYour order #10293 left the warehouse today.\nhttps://shop.example/orders/10293\n',
        html,
      };
    case 'long':
      return {
        subject: words.longSubject,
        text: Array.from({ length: 120 }, (_, at) => `${at + 1}. ${paragraph.repeat(1 + (at % 4)).trim()}`).join(
          '\n\n',
        ),
        html: '',
      };
    case 'chinese':
      return { ...chinese, html: '' };
  }
}

/** `a@b.test, "C, D" <c@d.test>` in its addresses; separators are commas, semicolons and line ends outside quotes. */
export function splitAddresses(text: string): string[] {
  const found: string[] = [];
  let piece = '';
  let quoted = false;
  for (const char of text) {
    if (char === '"') quoted = !quoted;
    if (!quoted && /[,;，；、\n]/.test(char)) {
      found.push(piece.trim());
      piece = '';
    } else piece += char;
  }
  return [...found, piece.trim()].filter((address) => address !== '');
}

export type FieldName = 'from' | 'to' | 'subject' | 'text' | 'html' | 'host' | 'port' | 'username' | 'password';
const fieldNames: readonly FieldName[] = [
  'from', 'to', 'subject', 'text', 'html', 'host', 'port', 'username', 'password',
]; // prettier-ignore

/** The form's field of an error's path: `to.0` is `to`; undefined when it is none of the form's. */
export function fieldOf(path: string | undefined): FieldName | undefined {
  const parts = path?.split('.') ?? [];
  return fieldNames.find((name) => parts.includes(name));
}
