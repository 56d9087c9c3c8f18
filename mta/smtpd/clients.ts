/**
 * What is counted per client address over all sessions: connections (smtpd_client_connection_count_limit) and failed
 * logins. Promises: memory is bounded; entries that say nothing any more are dropped.
 */
export interface ClientCounts {
  /** Counts a connection in; answers how many this client has now. */
  connect(address: string): number;
  disconnect(address: string): void;
  /** All connections. */
  readonly total: number;
  authFailed(address: string): void;
  /** The client guessed too often and must wait. */
  authBlocked(address: string): boolean;
}

export interface AuthGuardLimits {
  /** Failures within `window` milliseconds after which an address is refused. */
  readonly failures: number;
  readonly window: number;
}

const mostAddresses = 10_000;

export function createClientCounts(limits: AuthGuardLimits = { failures: 20, window: 600_000 }): ClientCounts {
  const connections = new Map<string, number>();
  const failures = new Map<string, { count: number; until: number }>();
  let total = 0;

  return {
    connect(address) {
      total += 1;
      const count = (connections.get(address) ?? 0) + 1;
      connections.set(address, count);
      return count;
    },
    disconnect(address) {
      total -= 1;
      const count = (connections.get(address) ?? 1) - 1;
      if (count > 0) connections.set(address, count);
      else connections.delete(address);
    },
    get total() {
      return total;
    },
    authFailed(address) {
      const now = performance.now();
      const found = failures.get(address);
      if (found !== undefined && found.until > now) {
        found.count += 1;
        return;
      }
      if (failures.size >= mostAddresses) {
        for (const [key, entry] of failures) if (entry.until <= now) failures.delete(key);
        const oldest = failures.keys().next();
        if (failures.size >= mostAddresses && oldest.done !== true) failures.delete(oldest.value);
      }
      failures.delete(address);
      failures.set(address, { count: 1, until: now + limits.window });
    },
    authBlocked(address) {
      const found = failures.get(address);
      return found !== undefined && found.until > performance.now() && found.count >= limits.failures;
    },
  };
}
