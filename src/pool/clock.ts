/**
 * Real time for a pool: whole milliseconds since it was made, and timers that never keep the host
 * alive by themselves.
 */
import type { Clock } from '../ledger/ports.ts'

/** setTimeout's own limit; a later deadline is reached in several steps. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** The clock of the machines' own delays. */
export const machineClock = {
  setTimeout: (callback: () => void, ms: number): NodeJS.Timeout =>
    setTimeout(callback, ms).unref(),
  clearTimeout: (timer: NodeJS.Timeout): void => clearTimeout(timer),
}

export function createClock(): Clock {
  const startedAtMs = performance.now()
  return {
    nowMs: () => Math.floor(performance.now() - startedAtMs),
    after: (ms, callback) => {
      const timer = setTimeout(callback, Math.min(ms, MAX_TIMER_MS)).unref()
      return () => clearTimeout(timer)
    },
    defer: (callback) => {
      setImmediate(callback)
    },
  }
}
