/** How far a call has come, as a fraction. Pure. */
import type { Progress } from '#mta/contract/contract.ts';

/** Between 0 and 1; undefined while the total is unknown or zero. */
export function fraction(progress: Progress | undefined): number | undefined {
  if (progress?.total === undefined || !(progress.total > 0)) return undefined;
  return Math.min(1, Math.max(0, progress.done / progress.total));
}
