/**
 * How every contestant of the pages row is driven: open the small page, read its title, again and again for 3 s, after
 * a warm-up. 4 pages are in flight, so that a pool always has the next one at hand.
 */
import type { Page } from 'puppeteer-core'
import { PAGE_TITLE } from '../page-server.ts'
import { printFigures } from './flow.ts'

export { WORKERS } from './flow.ts'
export const PAGES_IN_FLIGHT = 4
const WARM_UP_PAGES = 24
const LIMIT_MS = 3_000

/** `node <peer> <url> <path of Chromium> [<variant>]` */
export const [, , pageUrl = '', executablePath = '', variant = ''] = process.argv

/** The task of the row. The same for everybody. */
export async function readTitle(page: Page): Promise<string> {
  await page.goto(pageUrl)
  return page.title()
}

export interface PageContestant {
  /** Each opens and reads one page; all of them are kept going at once. */
  readonly lanes: readonly (() => Promise<string>)[]
  readonly close: () => unknown
}

/** Measures a contestant and prints `{"pagesPerSecond": n}`. */
export async function measurePages(contestant: PageContestant): Promise<void> {
  await pagesPerSecond(contestant, WARM_UP_PAGES, LIMIT_MS)
  const figure = await pagesPerSecond(contestant, Number.POSITIVE_INFINITY, LIMIT_MS)
  await contestant.close()
  printFigures({ pagesPerSecond: figure })
}

async function pagesPerSecond(
  { lanes }: PageContestant,
  pages: number,
  limitMs: number,
): Promise<number> {
  const startMs = performance.now()
  const deadlineMs = startMs + limitMs
  let started = 0
  let ended = 0
  const lane = async (run: () => Promise<string>): Promise<void> => {
    while (started < pages && performance.now() < deadlineMs) {
      started += 1
      const title = await run()
      if (title !== PAGE_TITLE) throw new Error(`not our page: ${title}`)
      ended += 1
    }
  }
  await Promise.all(lanes.map(lane))
  return (ended * 1_000) / (performance.now() - startMs)
}
