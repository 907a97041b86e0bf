/** The trend of a row of samples: least squares, per minute, and how sure it is. */

export interface Sample {
  readonly atMs: number
  readonly value: number
}

interface Slope {
  readonly perMinute: number
  /**
   * The slope's standard error: what chance alone would make of a level row this long and this
   * restless.
   */
  readonly error: number
}

const MS_PER_MINUTE = 60_000
/**
 * What is recycled goes up and down, and a leak lifts its troughs too: each part of the row counts
 * by its lower quartile.
 */
const PARTS = 10
const QUARTILE = 0.25

export function slopeOf(samples: readonly Sample[]): Slope {
  const points = troughsOf(samples)
  const count = points.length
  if (count < 3) return { perMinute: 0, error: Number.POSITIVE_INFINITY }
  const meanAt = sum(points.map(({ atMs }) => atMs)) / count
  const meanValue = sum(points.map(({ value }) => value)) / count
  const spread = sum(points.map(({ atMs }) => (atMs - meanAt) ** 2))
  const slope = sum(points.map(({ atMs, value }) => (atMs - meanAt) * (value - meanValue))) / spread
  const rest = points.map(({ atMs, value }) => value - meanValue - slope * (atMs - meanAt))
  const error = Math.sqrt(sum(rest.map((one) => one ** 2)) / (count - 2) / spread)
  return { perMinute: slope * MS_PER_MINUTE, error: error * MS_PER_MINUTE }
}

function troughsOf(samples: readonly Sample[]): Sample[] {
  const size = Math.max(1, Math.ceil(samples.length / PARTS))
  const parts = Array.from({ length: Math.ceil(samples.length / size) }, (_, index) =>
    samples.slice(index * size, (index + 1) * size),
  )
  return parts.map((part) => {
    const values = part.map(({ value }) => value).sort((a, b) => a - b)
    const atMs = sum(part.map((sample) => sample.atMs)) / part.length
    return { atMs, value: values[Math.floor(values.length * QUARTILE)] ?? 0 }
  })
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
