/** What is told to the person beside the page: short notices, errors, and Undo. */
import { toast } from 'svelte-sonner';
import { errorMessage, PostriderError } from '#mta/contract/errors.ts';
import { t } from '../i18n/index.svelte.ts';

/** How long a deletion can be taken back, in milliseconds. */
export const undoTime = 12_000;

export function notify(
  text: string,
  options: { description?: string; action?: { label: string; run(): void } } = {},
): void {
  toast(text, {
    ...(options.description === undefined ? {} : { description: options.description }),
    ...(options.action === undefined ? {} : { action: { label: options.action.label, onClick: options.action.run } }),
  });
}

/** Says what failed in words for a person; a call that the person cancelled is no news. */
export function report(error: unknown): void {
  if (error instanceof PostriderError) {
    if (error.code === 'cancelled') return;
    toast.error(t.frame.errors[error.code], { description: error.message, duration: 8000 });
    return;
  }
  toast.error(t.frame.errors.internal, { description: errorMessage(error), duration: 8000 });
}

/**
 * Tells of something done that can be taken back for `undoTime`. Exactly one of the two is called: `undo` when the
 * person takes it back, `commit` when the time is over or the notice is put away. Returns a function that commits now.
 */
export function notifyUndo(text: string, undo: () => void, commit: () => void): () => void {
  let settled = false;
  const settle = (then: () => void) => (): void => {
    if (settled) return;
    settled = true;
    clearTimeout(timer);
    toast.dismiss(id);
    then();
  };
  const commitNow = settle(commit);
  const timer = setTimeout(commitNow, undoTime);
  const id = toast(text, {
    duration: undoTime + 1000,
    action: { label: t.frame.undo, onClick: settle(undo) },
    onDismiss: commitNow,
  });
  return commitNow;
}
