/**
 * Row `dispatch`: submit → handler start on an idle worker, one task at a time. The figure is the median; p99 stands
 * beside it, with raw `fork` IPC measured the same way. All processes read the same monotonic clock.
 */
import { type Contestant, contest } from './contest.ts'
import type { Row, Say } from './row.ts'

const ROUNDS = 3
const AIM_P50_MS = 0.1
const AIM_P99_MS = 1

const TROUPE: Contestant = { name: 'troupe', file: 'troupe-dispatch.ts' }
const RAW: Contestant = { name: 'raw fork IPC', file: 'raw-dispatch.ts' }

export async function measureDispatch(say: Say): Promise<Row> {
  const medians = await contest([TROUPE, RAW], ROUNDS, say)
  const { p50Ms: figure = 0, p99Ms = 0 } = medians.get(TROUPE.name) ?? {}
  const raw = medians.get(RAW.name)
  return {
    id: 'dispatch',
    figure,
    unit: 'ms',
    beside: {
      p99: p99Ms,
      'raw fork IPC p50': raw?.p50Ms ?? 0,
      'raw fork IPC p99': raw?.p99Ms ?? 0,
    },
    ratio: figure / AIM_P50_MS,
    aim: `p50 < ${AIM_P50_MS} ms, p99 < ${AIM_P99_MS} ms`,
    met: figure < AIM_P50_MS && p99Ms < AIM_P99_MS,
  }
}
