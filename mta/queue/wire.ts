/**
 * What the store's threads say to one another. Everything is plain data, batched: one message carries all that was
 * asked in one turn of the event loop, and its bodies travel packed in one transferred buffer.
 */
import { PostriderError, type ErrorCode } from '../contract/errors.ts';
import type { Finding } from '../contract/server.ts';
import {
  CorruptBodyError,
  DurabilityError,
  StoreFullError,
  StoreIoError,
  type ListQuery,
  type NewMessage,
  type QueueAction,
  type Settlement,
  type StoreCounts,
} from './store.ts';
import type { Term } from './terms.ts';

/** A body on its way to the writer: a slice of the batch's buffer, or a file already on disk. */
export type PackedBody =
  | { readonly offset: number; readonly length: number }
  | { readonly file: string; readonly size: number; readonly checksum: number };

export type PackedMessage = Omit<NewMessage, 'body'> & { readonly body: PackedBody };
export type PackedSettlement = Omit<Settlement, 'spawned'> & {
  readonly spawned?: readonly PackedMessage[] | undefined;
};

export type WriteRequest =
  | { readonly kind: 'add'; readonly message: PackedMessage }
  | { readonly kind: 'settle'; readonly settlement: PackedSettlement }
  | { readonly kind: 'act'; readonly action: QueueAction; readonly ids: readonly string[] }
  | { readonly kind: 'corrupt'; readonly id: string; readonly reason: string };

export interface ActAnswer {
  readonly changed: readonly string[];
  readonly done: number;
  readonly unknown: readonly string[];
}

export interface FlatListQuery extends Omit<ListQuery, 'active' | 'filter'> {
  readonly filter: readonly Term[];
  /** Only when the filter speaks of queues; the main thread marks active entries itself. */
  readonly active: readonly string[];
}

export type ReadRequest =
  | { readonly kind: 'incoming'; readonly after: IncomingPosition | undefined; readonly limit: number }
  | {
      readonly kind: 'due';
      readonly now: number;
      readonly after: { nextAttempt: number; id: string } | undefined;
      readonly limit: number;
    }
  | { readonly kind: 'nextDue' }
  | { readonly kind: 'message'; readonly id: string }
  | { readonly kind: 'body'; readonly id: string }
  | { readonly kind: 'get'; readonly id: string }
  | { readonly kind: 'raw'; readonly id: string; readonly offset: number; readonly length: number }
  | { readonly kind: 'list'; readonly query: FlatListQuery }
  | {
      readonly kind: 'groups';
      readonly by: 'reason' | 'destination';
      readonly filter: readonly Term[];
      readonly limit: number;
      readonly active: readonly string[];
    }
  | { readonly kind: 'count'; readonly filter: readonly Term[]; readonly active: readonly string[] }
  | {
      readonly kind: 'select';
      readonly filter: readonly Term[];
      readonly active: readonly string[];
      readonly after: number;
      readonly upTo: number;
      readonly limit: number;
    };

/** Either the id of the last message of a page, or its place when the store still knows it. */
export interface IncomingPosition {
  readonly id: string;
  readonly arrival?: number | undefined;
  readonly seq?: number | undefined;
}

export type BodyAnswer =
  | { readonly kind: 'memory'; readonly data: Uint8Array }
  | { readonly kind: 'file'; readonly file: string; readonly size: number; readonly checksum: number }
  | { readonly kind: 'corrupt'; readonly queue: number; readonly reason: string };

export interface Batch<R> {
  readonly batch: number;
  readonly requests: readonly R[];
  readonly bytes: Uint8Array | undefined;
}

export interface Ack {
  readonly batch: number;
  /** [index in the batch, answer]; requests in neither list answered nothing. */
  readonly answers: readonly (readonly [number, unknown])[];
  readonly errors: readonly (readonly [number, FlatError])[];
}

export interface Acks {
  readonly kind: 'acks';
  readonly acks: readonly Ack[];
  readonly counts?: StoreCounts | undefined;
  /** The thread must not be used further: it ends now, having begun none of the later batches. */
  readonly restart?: boolean | undefined;
}

export type FromThread =
  | Acks
  | { readonly kind: 'ready'; readonly counts?: StoreCounts | undefined; readonly findings: readonly Finding[] }
  | { readonly kind: 'refused'; readonly error: FlatError };

export interface FlatError {
  readonly name: string;
  readonly message: string;
  readonly code?: string | undefined;
  readonly field?: string | undefined;
}

export function flattenError(error: unknown): FlatError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return {
    name: error.name,
    message: error.message,
    code,
    field: error instanceof PostriderError ? error.field : undefined,
  };
}

export function reviveError(flat: FlatError): Error {
  switch (flat.name) {
    case 'PostriderError':
      return new PostriderError((flat.code ?? 'internal') as ErrorCode, flat.message, { field: flat.field });
    case 'StoreFullError':
      return new StoreFullError(flat.message);
    case 'StoreIoError':
      return new StoreIoError(flat.message);
    case 'CorruptBodyError':
      return new CorruptBodyError(flat.message);
    case 'DurabilityError':
      return new DurabilityError(flat.message);
    default: {
      const error = new Error(flat.message);
      error.name = flat.name;
      return error;
    }
  }
}
