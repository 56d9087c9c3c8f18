/**
 * What a page is. Every folder views/NAME with a `page.ts` that exports `page: Page` is found by main and gets a place in
 * the sidebar, a shortcut and a route (`#/SERVER/NAME/…`); see main.ts.
 */
import type { Component } from 'svelte';
import type { Capability, Overview } from '#mta/contract/server.ts';
import type { Icon } from '../actions/action.ts';
import type { ServerSession } from '../state/server.svelte.ts';

export interface PageCount {
  readonly value: number;
  readonly tone?: 'plain' | 'strong' | 'warn' | 'bad';
  /** What the number counts, for a tooltip and screen readers: `3 unread`. */
  readonly label: string;
}

export interface Page {
  /** Its part of the route, and the name of its folder. */
  readonly id: string;
  /** Its place in the sidebar, smallest first. */
  readonly order: number;
  readonly icon: Icon;
  /** Reactive: read `t` inside. */
  readonly title: () => string;
  readonly component: Component<{ server: ServerSession }>;
  /** Shown only for servers that can do this. */
  readonly capability?: Capability;
  /** The number beside the title; undefined shows none. */
  readonly count?: (server: ServerSession) => PageCount | undefined;
  /** For servers of these profiles it is the page shown first. */
  readonly home?: readonly Overview['profile'][];
}
