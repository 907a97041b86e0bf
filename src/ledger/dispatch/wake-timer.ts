/** One timer that is only ever moved to an earlier time: who wakes looks at what is due. */
import type { Clock } from '../../common/clock.ts'

export class WakeTimer {
  readonly #clock: Clock
  readonly #onDue: () => void
  #timer: { readonly atMs: number; readonly cancel: () => void } | null = null

  constructor(clock: Clock, onDue: () => void) {
    this.#clock = clock
    this.#onDue = onDue
  }

  /** Wakes at `atMs` at the latest. */
  by(atMs: number): void {
    if (this.#timer !== null && this.#timer.atMs <= atMs) return
    this.drop()
    const ms = Math.max(atMs - this.#clock.nowMs(), 1)
    const cancel = this.#clock.after(ms, () => {
      this.#timer = null
      this.#onDue()
    })
    this.#timer = { atMs, cancel }
  }

  drop(): void {
    this.#timer?.cancel()
    this.#timer = null
  }
}
