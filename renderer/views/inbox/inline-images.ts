/** The images a message carries for its own HTML, as data URIs by Content-ID. */
import type { MailMessage } from '#mta/contract/mail.ts';
import type { MailServerClient } from '#mta/contract/server.ts';

/** Bytes of inline images put in, in all: the preview takes five million characters. */
const imageLimit = 3_500_000;

export async function inlineImages(
  client: MailServerClient,
  message: MailMessage,
  html: string,
): Promise<ReadonlyMap<string, string>> {
  const images = new Map<string, string>();
  const wanted = referredImages(html);
  let size = 0;
  for (const part of message.parts) {
    const id = part.contentId?.replace(/^<|>$/g, '');
    if (id === undefined || !wanted.has(id) || !/^image\/(png|jpe?g|gif|webp|avif|bmp)$/i.test(part.type)) continue;
    size += part.size;
    if (size > imageLimit) break;
    const { data } = await client.call('mail.part', { id: message.id, index: part.index });
    images.set(id, `data:${part.type.toLowerCase()};base64,${data}`);
  }
  return images;
}

/** The Content-IDs the HTML refers to, so that only those images are fetched. */
export function referredImages(html: string): Set<string> {
  const found = new Set<string>();
  for (const match of html.matchAll(/cid:([^"'\s)>]+)/gi)) found.add(decode(match[1] ?? ''));
  return found;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
