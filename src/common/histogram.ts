/**
 * Times by fixed logarithmic buckets: exact below 16 ms, then 16 buckets for each doubling, so that
 * a percentile is at most 1/16 too high, however many were noted. It keeps no sample.
 */
const EXACT_BITS = 4
const EXACT = 1 << EXACT_BITS
/** The largest time that is told apart: 24.8 days. */
const MAX_MS = 2 ** 31 - 1
const BUCKETS = EXACT * (32 - EXACT_BITS)

/** What `status()` shows of many times. All in ms, 0 when there is none. */
export interface TimeSummary {
  readonly count: number
  readonly mean: number
  readonly max: number
  /** Half of all took no longer. */
  readonly p50: number
  readonly p90: number
  readonly p99: number
}

export class Histogram {
  readonly #buckets = new Float64Array(BUCKETS)
  #count = 0
  #sum = 0
  #max = 0

  note(ms: number): void {
    const whole = Math.min(Math.max(Math.round(ms), 0), MAX_MS)
    const index = bucketOf(whole)
    this.#buckets[index] = (this.#buckets[index] as number) + 1
    this.#count++
    this.#sum += whole
    if (whole > this.#max) this.#max = whole
  }

  /** The time that a share of all did not exceed: the upper edge of its bucket. */
  percentile(share: number): number {
    let left = Math.ceil(this.#count * share)
    if (left === 0) return 0
    for (let index = 0; index < BUCKETS; index++) {
      left -= this.#buckets[index] as number
      if (left <= 0) return Math.min(upperEdgeOf(index), this.#max)
    }
    return this.#max
  }

  summary(): TimeSummary {
    return {
      count: this.#count,
      mean: this.#count === 0 ? 0 : this.#sum / this.#count,
      max: this.#max,
      p50: this.percentile(0.5),
      p90: this.percentile(0.9),
      p99: this.percentile(0.99),
    }
  }
}

function bucketOf(ms: number): number {
  if (ms < EXACT) return ms
  const shift = 31 - Math.clz32(ms) - EXACT_BITS
  return EXACT * (shift + 1) + ((ms >> shift) & (EXACT - 1))
}

function upperEdgeOf(index: number): number {
  if (index < EXACT) return index
  const shift = Math.floor(index / EXACT) - 1
  return (EXACT + (index % EXACT) + 1) * 2 ** shift - 1
}
