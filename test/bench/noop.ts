/**
 * Row `noop`: tasks/s through 2 browserless workers with 64 in flight, beside process pools at their own best settings.
 * Raw IPC runs along for orientation, the bar to pass later; the ratio is to the fastest pool.
 */
import { type Contestant, contest } from './contest.ts'
import type { Row, Say } from './row.ts'

const ROUNDS = 3
const AIM_RATIO = 1
const UNIT = 'tasks/s'

const TROUPE: Contestant = { name: 'troupe', file: 'troupe-noop.ts' }
const POOLS: readonly Contestant[] = [
  { name: 'poolifier cluster', file: 'poolifier.ts' },
  { name: 'jest-worker', file: 'jest-worker.ts' },
  { name: 'tinypool child_process', file: 'tinypool.ts' },
  { name: 'workerpool process', file: 'workerpool.ts' },
]
const RAW: readonly Contestant[] = [
  { name: 'raw fork IPC json', file: 'raw-ipc.ts', args: ['json'] },
  { name: 'raw fork IPC advanced', file: 'raw-ipc.ts', args: ['advanced'] },
]

export async function measureNoop(say: Say): Promise<Row> {
  const medians = await contest([TROUPE, ...POOLS, ...RAW], ROUNDS, say)
  const figureOf = ({ name }: Contestant): number => medians.get(name)?.tasksPerSecond ?? 0
  const figure = figureOf(TROUPE)
  const ratio = figure / Math.max(...POOLS.map(figureOf))
  return {
    id: 'noop',
    figure,
    unit: UNIT,
    beside: Object.fromEntries([...POOLS, ...RAW].map((c) => [c.name, figureOf(c)])),
    ratio,
    aim: `≥ ${AIM_RATIO} × the fastest pool of processes`,
    met: ratio >= AIM_RATIO,
  }
}
