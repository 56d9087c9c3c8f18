/** What the mail store's two threads say to each other. */
import type { Progress } from '../contract/contract.ts';
import type { ErrorCode } from '../contract/errors.ts';
import type { MailMethod, MailReaderOptions } from './mail-reader.ts';

export interface MailThreadData {
  readonly root: string;
  readonly reader: MailReaderOptions;
  readonly watchedMailboxes: number;
  readonly watchDelay: number;
}

export interface Delivered {
  /** Of the mailbox, below the root. */
  readonly directory: string;
  /** Names of the files in `new`, as far as they were told. */
  readonly files: string[];
  count: number;
}

export type ToMailThread =
  | { readonly type: 'call'; readonly call: number; readonly method: MailMethod; readonly input: unknown }
  | { readonly type: 'cancel'; readonly call: number }
  | { readonly type: 'delivered'; readonly deliveries: readonly Delivered[] }
  | { readonly type: 'close' };

export type FromMailThread =
  | { readonly type: 'result'; readonly call: number; readonly output: unknown }
  | {
      readonly type: 'failure';
      readonly call: number;
      readonly code: ErrorCode;
      readonly message: string;
      readonly field: string | undefined;
    }
  | { readonly type: 'progress'; readonly call: number; readonly progress: Progress }
  | { readonly type: 'arrived'; readonly mailbox: string; readonly count: number }
  | { readonly type: 'changed'; readonly mailbox: string };
