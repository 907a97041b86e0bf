/**
 * Row `start`: fork → session ready, the median of 15 starts in 3 rounds. Beside it a worker written by hand, which
 * forks, imports puppeteer-core, launches the same Chromium and opens a tab.
 */
import { browserPath } from './browser.ts'
import { type Contestant, contest } from './contest.ts'
import type { Row, Say } from './row.ts'

const ROUNDS = 3
const AIM_MS = 400

export async function measureStart(say: Say): Promise<Row> {
  const args = [await browserPath()]
  const troupe: Contestant = { name: 'troupe', file: 'troupe-start.ts', args }
  const plain: Contestant = { name: 'hand-written worker', file: 'plain-start.ts', args }
  const medians = await contest([troupe, plain], ROUNDS, say)
  const figure = medians.get(troupe.name)?.readyMs ?? 0
  return {
    id: 'start',
    figure,
    unit: 'ms',
    beside: { [plain.name]: medians.get(plain.name)?.readyMs ?? 0 },
    ratio: figure / AIM_MS,
    aim: `< ${AIM_MS} ms`,
    met: figure < AIM_MS,
  }
}
