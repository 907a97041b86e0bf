/** puppeteer-cluster in one of its modes: a page, a context or a browser of its own for each job. */

import { Cluster } from 'puppeteer-cluster'
import puppeteer from 'puppeteer-core'
import { launchOptions } from '../browser.ts'
import {
  executablePath,
  measurePages,
  PAGES_IN_FLIGHT,
  readTitle,
  variant,
  WORKERS,
} from './pages-flow.ts'

const modes: Readonly<Record<string, number>> = {
  page: Cluster.CONCURRENCY_PAGE,
  context: Cluster.CONCURRENCY_CONTEXT,
  browser: Cluster.CONCURRENCY_BROWSER,
}
const cluster = await Cluster.launch({
  puppeteer,
  concurrency: modes[variant] ?? Cluster.CONCURRENCY_PAGE,
  maxConcurrency: WORKERS,
  puppeteerOptions: launchOptions(executablePath),
})
await cluster.task(({ page }) => readTitle(page))
await measurePages({
  lanes: Array.from({ length: PAGES_IN_FLIGHT }, () => () => cluster.execute(null)),
  close: () => cluster.close(),
})
