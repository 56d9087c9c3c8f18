/**
 * cidr_table(5): `network/length value`, `!network`, `if`/`endif`; the first that holds the address counts. Lines that
 * are not so, and networks with host bits set, are reported and skipped.
 */
import ipaddr from 'ipaddr.js';
import { logicalLines } from '../logical-lines.ts';
import { networkProblem } from '../networks.ts';
import type { TableContents } from './table.ts';

interface Rule {
  readonly kind: 'rule' | 'if';
  readonly negated: boolean;
  readonly network: readonly [ipaddr.IPv4 | ipaddr.IPv6, number];
  readonly value: string;
  readonly body: Rule[];
}

export function parseCidrTable(text: string, file: string): TableContents {
  const warnings: string[] = [];
  const top: Rule[] = [];
  const open: Rule[][] = [top];
  for (const { text: logical, line } of logicalLines(text)) {
    const warn = (reason: string): void => {
      warnings.push(`${file}, line ${line}: ${reason}; skipped "${logical}"`);
    };
    if (/^endif\b/i.test(logical)) {
      if (open.length === 1) warn('endif without if');
      else open.pop();
      continue;
    }
    const match = /^(if\s+)?(!?)\s*\[?([0-9A-Fa-f:.]+)\]?(?:\/(\d+))?(?:\s+(.*))?$/is.exec(logical);
    const conditional = match?.[1] !== undefined || /^if\s/i.test(logical);
    const network = match === null ? undefined : readNetwork(match[3] ?? '', match[4]);
    if (match === null || network === undefined || typeof network === 'string') {
      warn(typeof network === 'string' ? network : 'expected network/length whitespace value');
      if (conditional) open.push([]);
      continue;
    }
    const rule: Rule = {
      kind: conditional ? 'if' : 'rule',
      negated: match[2] === '!',
      network,
      value: match[5]?.trimEnd() ?? '',
      body: [],
    };
    if (rule.kind === 'rule' && rule.value === '') {
      warn('no value after the network');
      continue;
    }
    open.at(-1)?.push(rule);
    if (rule.kind === 'if') open.push(rule.body);
  }
  if (open.length > 1) warnings.push(`${file}: an if has no endif`);
  return {
    warnings,
    get: (key) => {
      const bare = key.replace(/^\[(.*)\]$/, '$1').replace(/%.*$/, '');
      const known = ipaddr.IPv4.isValidFourPartDecimal(bare) || ipaddr.IPv6.isValid(bare);
      return known ? run(top, ipaddr.process(bare)) : undefined;
    },
  };
}

function run(rules: readonly Rule[], address: ipaddr.IPv4 | ipaddr.IPv6): string | undefined {
  for (const { kind, negated, network, value, body } of rules) {
    const [base, bits] = network;
    const inside = base.kind() === address.kind() && address.match(base, bits);
    if (inside === negated) continue;
    const result = kind === 'if' ? run(body, address) : value;
    if (result !== undefined) return result;
  }
  return undefined;
}

function readNetwork(address: string, length: string | undefined): [ipaddr.IPv4 | ipaddr.IPv6, number] | string {
  const v6 = address.includes(':');
  if (v6 ? !ipaddr.IPv6.isValid(address) : !ipaddr.IPv4.isValidFourPartDecimal(address)) {
    return `"${address}" is not an address`;
  }
  const problem = networkProblem(`${v6 ? `[${address}]` : address}${length === undefined ? '' : `/${length}`}`);
  if (problem !== undefined) return problem;
  return [ipaddr.parse(address), length === undefined ? (v6 ? 128 : 32) : Number(length)];
}
