/**
 * Real time for a pool: whole milliseconds since it was made, and timers that never keep the host
 * alive by themselves.
 */

/** Up to this, a timer is set for as long as it is meant to take; a longer one comes in steps. */
const MAX_EXACT_MS = 256
/** The longest step; setTimeout's own limit is twice as much. */
const MAX_STEP_MS = 2 ** 30

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
    after,
    defer: (callback) => {
      setImmediate(callback)
    },
  }
}

function after(ms: number, callback: () => void): () => void {
  const dueMs = performance.now() + ms
  let timer = setTimeout(step, stepOf(ms)).unref()
  function step(): void {
    const leftMs = dueMs - performance.now()
    if (leftMs <= 0) callback()
    else timer = setTimeout(step, stepOf(leftMs)).unref()
  }
  return () => clearTimeout(timer)
}

/**
 * Node keeps a list for each duration that a timer was given and, unless it keeps the host alive,
 * until that time has passed, taken back or not. Tasks whose deadlines all differ would leave a
 * list each, for hours: so long durations are made of a few.
 */
function stepOf(leftMs: number): number {
  if (leftMs <= MAX_EXACT_MS) return Math.ceil(leftMs)
  return 2 ** Math.floor(Math.log2(Math.min(leftMs, MAX_STEP_MS)))
}

export interface Clock {
  /** Whole milliseconds since the pool was made. */
  nowMs(): number
  /** Calls back once; the function returned takes it back. */
  after(ms: number, callback: () => void): () => void
  /** Calls back once everything that is due now has been dealt with. */
  defer(callback: () => void): void
}

/** Timers as XState's clock has them. */
export interface Timers {
  setTimeout(callback: () => void, ms: number): unknown
  // oxlint-disable-next-line typescript/no-explicit-any -- what setTimeout gave, as XState has it.
  clearTimeout(timer: any): void
}
