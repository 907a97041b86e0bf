/**
 * Time for a simulation: it stands still until a test moves it, and the same moves give the same
 * calls in the same order. Never XState's SimulatedClock, and never the real time.
 */
import type { Clock } from '../../src/common/clock.ts'

/** Calls within one move of the clock; more means that something calls itself for ever. */
const MAX_CALLS = 1_000_000

interface Timer {
  readonly atMs: number
  readonly callback: () => void
}

export class VirtualClock implements Clock {
  #nowMs = 0
  #deferred: (() => void)[] = []
  /** In the order they were set, which decides between those due at the same time. */
  readonly #timers = new Set<Timer>()

  /** Timers set and neither fired nor taken back. */
  get timers(): number {
    return this.#timers.size
  }

  /** Calls that wait for the next `settle`. */
  get deferred(): number {
    return this.#deferred.length
  }

  nowMs(): number {
    return this.#nowMs
  }

  after(ms: number, callback: () => void): () => void {
    if (!Number.isInteger(ms) || ms < 0) throw new RangeError(`a timer of ${ms} ms`)
    const timer = { atMs: this.#nowMs + ms, callback }
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }

  defer(callback: () => void): void {
    this.#deferred.push(callback)
  }

  /** Makes the deferred calls, and those they defer, without moving the time. */
  settle(): void {
    for (let calls = 0; this.#deferred.length > 0; calls++) {
      if (calls > MAX_CALLS) throw new Error('deferred calls do not end')
      const due = this.#deferred
      this.#deferred = []
      for (const callback of due) callback()
    }
  }

  /**
   * Moves the time by `ms`: all timers of one time, then what they deferred, then those of the
   * next.
   */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms
    this.#runUntil(untilMs)
    this.#nowMs = untilMs
  }

  /** Moves the time until nothing is left to call. */
  runAll(): void {
    this.#runUntil(Number.MAX_SAFE_INTEGER)
  }

  #runUntil(untilMs: number): void {
    this.settle()
    for (let calls = 0; ; calls++) {
      if (calls > MAX_CALLS) throw new Error('timers do not end')
      const next = this.#next()
      if (next === null || next.atMs > untilMs) return
      this.#timers.delete(next)
      this.#nowMs = next.atMs
      next.callback()
      if (this.#next()?.atMs !== this.#nowMs) this.settle()
    }
  }

  #next(): Timer | null {
    let next: Timer | null = null
    for (const timer of this.#timers) if (next === null || timer.atMs < next.atMs) next = timer
    return next
  }
}
