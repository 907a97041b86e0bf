/** Row `heap`: bytes of heap per queued task beyond its payload, with 1,000,000 tasks queued. */
import { type Contestant, contest } from './contest.ts'
import type { Row, Say } from './row.ts'

const ROUNDS = 1
const AIM_BYTES = 600
const TROUPE: Contestant = { name: 'troupe', file: 'troupe-heap.ts', nodeArgs: ['--expose-gc'] }

export async function measureHeap(say: Say): Promise<Row> {
  const medians = await contest([TROUPE], ROUNDS, say)
  const figure = medians.get(TROUPE.name)?.bytesPerTask ?? 0
  return {
    id: 'heap',
    figure,
    unit: 'bytes',
    beside: {},
    ratio: figure / AIM_BYTES,
    aim: `< ${AIM_BYTES} bytes`,
    met: figure < AIM_BYTES,
  }
}
