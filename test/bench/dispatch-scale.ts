/**
 * Row `dispatch-scale`: µs of the pool's own thread for each task with 1,000,000 queued, plain and
 * mixed (10,000 groups, some at their limit, priorities, requirements, affinities). Its aim is flat
 * costs: the same with 1,000 queued.
 */
import { type Contestant, contest } from './contest.ts'
import type { Row, Say } from './row.ts'

const ROUNDS = 3
const AIM_RATIO = 1.5
const FEW = 1_000
const MANY = 1_000_000
const COUNTS = [FEW, 100_000, MANY]
const KINDS = ['plain', 'mixed']

export async function measureDispatchScale(say: Say): Promise<Row> {
  const contestants: Contestant[] = KINDS.flatMap((kind) =>
    COUNTS.map((count) => ({
      name: nameOf(kind, count),
      file: 'troupe-dispatch-scale.ts',
      args: [String(count), kind],
    })),
  )
  const medians = await contest(contestants, ROUNDS, say)
  const costOf = (kind: string, count: number) =>
    medians.get(nameOf(kind, count))?.microseconds ?? Number.NaN
  const ratio = Math.max(...KINDS.map((kind) => costOf(kind, MANY) / costOf(kind, FEW)))
  return {
    id: 'dispatch-scale',
    figure: costOf('mixed', MANY),
    unit: 'µs',
    beside: Object.fromEntries(
      KINDS.flatMap((kind) => COUNTS.map((count) => [nameOf(kind, count), costOf(kind, count)])),
    ),
    ratio,
    aim: `1,000,000 queued cost ≤ ${AIM_RATIO} × what 1,000 cost`,
    met: ratio <= AIM_RATIO,
  }
}

function nameOf(kind: string, count: number): string {
  return `${kind}, ${count.toLocaleString('en')}`
}
