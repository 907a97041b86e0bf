/**
 * Row `memory`: PSS of a worker's whole process tree, its browser included, on average over 4 workers that each hold a
 * light page open. Beside it 4 workers written by hand.
 */
import { browserPath } from './browser.ts'
import { type Contestant, contest } from './contest.ts'
import { startPageServer } from './page-server.ts'
import type { Row, Say } from './row.ts'

const ROUNDS = 3
const AIM_MB = 100

export async function measureMemory(say: Say): Promise<Row> {
  await using server = await startPageServer()
  const args = [await browserPath(), server.url]
  const troupe: Contestant = { name: 'troupe', file: 'troupe-memory.ts', args }
  const plain: Contestant = { name: 'hand-written workers', file: 'plain-memory.ts', args }
  const medians = await contest([troupe, plain], ROUNDS, say)
  const figure = medians.get(troupe.name)?.megabytes ?? 0
  return {
    id: 'memory',
    figure,
    unit: 'MB',
    beside: { [plain.name]: medians.get(plain.name)?.megabytes ?? 0 },
    ratio: figure / AIM_MB,
    aim: `< ${AIM_MB} MB`,
    met: figure < AIM_MB,
  }
}
