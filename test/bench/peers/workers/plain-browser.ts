/**
 * A worker as one writes it by hand: import puppeteer, launch, open a tab, say so. Then it opens the URL it is sent.
 */
import puppeteer from 'puppeteer-core'
import { launchOptions } from '../../browser.ts'

const browser = await puppeteer.launch(launchOptions(process.argv[2] ?? ''))
const page = await browser.newPage()
process.on('message', async (url) => {
  if (url === 'close') {
    await browser.close()
    process.disconnect()
    return
  }
  await page.goto(String(url))
  process.send?.('open')
})
process.send?.('ready')
