/**
 * Row `pages`: pages/s of a small page on 2 workers, beside what people use today. The ratio is to a loop written by
 * hand on warm tabs; the second aim is to be well ahead of puppeteer-cluster in its fastest mode.
 */
import { browserPath } from './browser.ts'
import { type Contestant, contest } from './contest.ts'
import { startPageServer } from './page-server.ts'
import type { Row, Say } from './row.ts'

const ROUNDS = 5
const AIM_HAND_WRITTEN = 0.9
const AIM_CLUSTER = 1.6
const UNIT = 'pages/s'

export async function measurePages(say: Say): Promise<Row> {
  await using server = await startPageServer()
  const executablePath = await browserPath()
  const contestant = (name: string, file: string, variant = ''): Contestant => ({
    name,
    file,
    args: [server.url, executablePath, variant],
  })
  const troupe = contestant('troupe', 'troupe-pages.ts')
  const handWritten = contestant('hand-written loop', 'hand-written.ts')
  const clusters = ['page', 'context', 'browser'].map((mode) =>
    contestant(`puppeteer-cluster ${mode}`, 'puppeteer-cluster.ts', mode),
  )
  const browserPool = contestant('crawlee browser-pool', 'browser-pool.ts')
  const peers = [handWritten, ...clusters, browserPool]

  const medians = await contest([troupe, ...peers], ROUNDS, say)
  const figureOf = ({ name }: Contestant): number => medians.get(name)?.pagesPerSecond ?? 0
  const figure = figureOf(troupe)
  const ratio = figure / figureOf(handWritten)
  const clusterRatio = figure / Math.max(...clusters.map(figureOf))
  return {
    id: 'pages',
    figure,
    unit: UNIT,
    beside: Object.fromEntries(peers.map((peer) => [peer.name, figureOf(peer)])),
    ratio,
    aim: `≥ ${AIM_HAND_WRITTEN} × the hand-written loop, ≥ ${AIM_CLUSTER} × puppeteer-cluster`,
    met: ratio >= AIM_HAND_WRITTEN && clusterRatio >= AIM_CLUSTER,
  }
}
