/**
 * Row `speedup`: how much faster 4 workers are through the demo's 60 orders than one after the
 * other, at a portal that is slow as portals are. Wall time from the moment when all workers are
 * logged in to the last outcome; beside it, from the start of the pool, where a login cannot be split.
 */
import { startPortal } from '../../docs/examples/purchase-orders/portal.ts'
import { browserPath } from './browser.ts'
import { type Contestant, contest } from './contest.ts'
import type { Row, Say } from './row.ts'

const AIM = 3.8
/** Each answer of the portal takes this long; an order needs three on average. */
const LATENCY_MS = 200
const NAMES = { 4: 's with 4 workers', sequential: 's one by one', 1: 's with 1 worker' } as const

export async function measureSpeedup(say: Say): Promise<Row> {
  const executablePath = await browserPath()
  const seconds: Record<string, number> = {}
  for (const [mode, name] of Object.entries(NAMES)) {
    // A portal of its own for each: some of its troubles come once.
    await using portal = await startPortal({ latencyMs: LATENCY_MS })
    const args = [portal.url, executablePath, mode]
    const contestant: Contestant = { name, file: 'troupe-orders.ts', args }
    const figures = await contest([contestant], 1, say)
    const { wallMs = Number.NaN, withStartMs = Number.NaN } = figures.get(name) ?? {}
    seconds[name] = wallMs / 1_000
    seconds[`${name}, with the start`] = withStartMs / 1_000
  }
  const figure = (seconds[NAMES.sequential] ?? 0) / (seconds[NAMES[4]] ?? Number.NaN)
  return {
    id: 'speedup',
    figure,
    unit: '×',
    beside: seconds,
    ratio: figure / AIM,
    aim: `≥ ${AIM} × sequential`,
    met: figure >= AIM,
  }
}
