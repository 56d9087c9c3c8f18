/**
 * The few pages that browser mode shows before, or instead of, the application's own. Plain HTML: no style, no script.
 */
function page(title: string, body: string, head = ''): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">${head}<title>${title}</title></head>
<body>
<h1>${title}</h1>
${body}
</body>
</html>
`;
}

/** `withToken`: the link carried one, but it was used already or never good. */
export function helpPage(withToken: boolean): string {
  const what = withToken
    ? '<p>This link was used already, or belongs to a server that has been restarted. Each link works once.</p>'
    : '<p>This page opens with the one-time link that <code>postrider serve</code> printed when it started.</p>';
  return page(
    'Open Postrider with a fresh link',
    `${what}
<p>On the machine where it runs, this prints a link that works:</p>
<pre>postrider url</pre>
<p>Add <code>--data DIR</code> when the server was started with that. If you signed in before, <a href="/">try again</a>.</p>`,
  );
}

export const reloadPage = page(
  'Opening Postrider…',
  '<p><a href="/">Continue</a></p>',
  '<meta http-equiv="refresh" content="0; url=/">',
);

export const notBuiltPage = page(
  'The page has not been built',
  '<p>The server runs, but the files of its user interface are missing. In a checkout, run:</p>\n<pre>npm run build</pre>',
);
