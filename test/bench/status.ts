/** Row `status`: ms of one `status()` with 100,000 tasks queued, the median of 1,001 calls in each of 3 rounds. */
import { type Contestant, contest } from './contest.ts'
import type { Row, Say } from './row.ts'

const ROUNDS = 3
const AIM_MS = 1
const TROUPE: Contestant = { name: 'troupe', file: 'troupe-status.ts' }

export async function measureStatus(say: Say): Promise<Row> {
  const medians = await contest([TROUPE], ROUNDS, say)
  const figure = medians.get(TROUPE.name)?.statusMs ?? 0
  return {
    id: 'status',
    figure,
    unit: 'ms',
    beside: {},
    ratio: figure / AIM_MS,
    aim: `< ${AIM_MS} ms`,
    met: figure < AIM_MS,
  }
}
