/** Crawlee's browser pool at its best: 2 browsers with one page each, never retired, no fingerprints. */
import { BrowserPool, PuppeteerPlugin } from '@crawlee/browser-pool'
import puppeteer from 'puppeteer-core'
import { launchOptions } from '../browser.ts'
import { executablePath, measurePages, readTitle, WORKERS } from './pages-flow.ts'

const pool = new BrowserPool({
  browserPlugins: [
    new PuppeteerPlugin(puppeteer, { launchOptions: launchOptions(executablePath) }),
  ],
  maxOpenPagesPerBrowser: 1,
  retireBrowserAfterPageCount: Number.POSITIVE_INFINITY,
  useFingerprints: false,
})
const run = async (): Promise<string> => {
  const page = await pool.newPage()
  const title = await readTitle(page)
  await page.close()
  return title
}
await measurePages({
  lanes: Array.from({ length: WORKERS }, () => run),
  close: () => pool.destroy(),
})
