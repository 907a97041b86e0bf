/**
 * The shape of one row of the benchmark, and the small sums every row needs. It measures nothing itself.
 */

export const ROW_IDS = [
  'noop',
  'dispatch',
  'pages',
  'start',
  'memory',
  'status',
  'heap',
  'dispatch-scale',
  'durable',
  'speedup',
] as const
export type RowId = (typeof ROW_IDS)[number]

/** One figure beside its peers. `ratio` is `figure` divided by what `aim` names. */
export interface Row {
  readonly id: RowId
  readonly figure: number
  readonly unit: string
  /** Name → figure of what was measured in the same run, in the same unit. */
  readonly beside: Readonly<Record<string, number>>
  readonly ratio: number
  readonly aim: string
  readonly met: boolean
}

/** Where a row says what it is doing. Progress, never data: it goes to stderr. */
export type Say = (line: string) => void

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** The value below which `share` (0–1) of the values lie. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
  if (value === undefined) throw new Error('quantile of no values')
  return value
}

/** Three significant digits below 100, whole numbers above: what a figure is worth. */
export function round(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3))
}
