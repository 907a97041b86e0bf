/**
 * Row `durable`: tasks/s from `submit` to the outcome with every task on the disk before it is acknowledged, 64 in
 * flight. Beside it the same load without a store, with the tasks of a turn synced together, and what the disk itself
 * does: one append of a page and one `fdatasync`, again and again, with nothing else.
 */
import { type Contestant, contest } from './contest.ts'
import type { Row, Say } from './row.ts'

const ROUNDS = 3
const AIM = 5_000
const UNIT = 'tasks/s'

const file = 'troupe-durable.ts'
const EACH: Contestant = { name: 'troupe, each synced', file, args: ['each'] }
const BATCHED: Contestant = { name: 'troupe, batched', file, args: ['batched'] }
const NONE: Contestant = { name: 'troupe without a store', file, args: ['none'] }
const DISK: Contestant = { name: 'fdatasync alone', file: 'disk-sync.ts' }

export async function measureDurable(say: Say): Promise<Row> {
  const medians = await contest([EACH, BATCHED, NONE, DISK], ROUNDS, say)
  const figureOf = ({ name }: Contestant): number => medians.get(name)?.tasksPerSecond ?? 0
  const figure = figureOf(EACH)
  return {
    id: 'durable',
    figure,
    unit: UNIT,
    beside: Object.fromEntries([BATCHED, NONE, DISK].map((one) => [one.name, figureOf(one)])),
    ratio: figure / AIM,
    aim: `≥ ${AIM} acknowledged tasks/s, each synced`,
    met: figure >= AIM,
  }
}
