/** The loop a careful person writes by hand: 2 Chromium, one warm tab each, kept for ever, nothing else. */
import puppeteer from 'puppeteer-core'
import { launchOptions } from '../browser.ts'
import { executablePath, measurePages, readTitle, WORKERS } from './pages-flow.ts'

const browsers = await Promise.all(
  Array.from({ length: WORKERS }, () => puppeteer.launch(launchOptions(executablePath))),
)
const tabs = await Promise.all(browsers.map((browser) => browser.newPage()))
await measurePages({
  lanes: tabs.map((tab) => () => readTitle(tab)),
  close: () => Promise.all(browsers.map((browser) => browser.close())),
})
