/** Counts what a run has done so far. Pure: it is told the time. */

/** The rate is taken over this long, so that it follows what happens now. */
const RATE_WINDOW_MS = 30_000
const MAX_SAMPLES = 64
/** Codes beyond this many are counted together. */
const MAX_CODES = 20

export class Tally {
  readonly startedMs: number
  /** Jobs in the input; null while nobody knows. */
  total: number | null
  succeeded = 0
  failed = 0
  /** Already succeeded in an earlier run. */
  skipped = 0
  /** Read, but neither run nor failed when the run ended. */
  notRun = 0
  attempts = 0
  readonly codes = new Map<string, number>()
  readonly #samples: { atMs: number; ended: number }[] = []

  constructor(total: number | null, nowMs: number) {
    this.total = total
    this.startedMs = nowMs
    this.#samples.push({ atMs: nowMs, ended: 0 })
  }

  get ended(): number {
    return this.succeeded + this.failed
  }

  fail(code: string): void {
    this.failed++
    const key = this.codes.has(code) || this.codes.size < MAX_CODES ? code : 'other'
    this.codes.set(key, (this.codes.get(key) ?? 0) + 1)
  }

  /** Jobs ended per second, lately. */
  rate(nowMs: number): number {
    const last = this.#samples[this.#samples.length - 1]
    if (last && nowMs - last.atMs >= RATE_WINDOW_MS / MAX_SAMPLES) {
      this.#samples.push({ atMs: nowMs, ended: this.ended })
    }
    while (this.#samples.length > 2 && nowMs - (this.#samples[0]?.atMs ?? 0) > RATE_WINDOW_MS) {
      this.#samples.shift()
    }
    const first = this.#samples[0]
    if (!first || nowMs <= first.atMs) return 0
    return ((this.ended - first.ended) * 1_000) / (nowMs - first.atMs)
  }

  /** ms until the end at the present rate; null while that cannot be said. */
  remainingMs(nowMs: number): number | null {
    const rate = this.rate(nowMs)
    if (this.total === null || rate <= 0) return null
    return (Math.max(0, this.total - this.skipped - this.ended) * 1_000) / rate
  }
}
