/** What tasks do that want several files at once. */
import type { Page } from 'puppeteer-core'
import { defineTasks, type TaskContext } from '../../../src/tasks.ts'

interface Order {
  readonly base: string
  readonly names: readonly string[]
}
type On = TaskContext<Order>

const id = (name: string): string => `#${name}`
/** A real click waits until the page is in front, which only one of a browser's tabs is. */
const click = (page: Page, selector: string): Promise<void> =>
  page.$eval(selector, (link) => (link as HTMLElement).click())

export default defineTasks({
  urls: async ({ page, download, payload: { base, names } }: On) => {
    await page.goto(`${base}/login`)
    await page.setExtraHTTPHeaders({ 'x-token': 'yes' })
    return Promise.all(names.map((name) => download(`${base}/moved/${name}`)))
  },
  clicks: async ({ page, download, payload: { base, names } }: On) => {
    await page.goto(`${base}/login?names=${names}`)
    return Promise.all(names.map((name) => download(() => click(page, id(name)))))
  },
  mixed: async ({ page, download, payload: { base, names } }: On) => {
    await page.goto(`${base}/login?names=${names}`)
    const other = await page.browserContext().newPage()
    await other.goto(`${base}/login?names=${names}`)
    const [a = '', b = '', c = ''] = names
    return Promise.all([
      download(() => click(page, id(a))),
      download(() => click(other, id(b)), { page: other }),
      download(`${base}/file/${c}`),
    ])
  },
  all: async ({ page, downloads, payload: { base, names } }: On) => {
    await page.goto(`${base}/login?names=${names}`)
    return downloads(() => click(page, '#all'), { quiet: 500 })
  },
  counted: async ({ page, downloads, payload: { base, names } }: On) => {
    await page.goto(`${base}/login?names=${names}`)
    return downloads(() => click(page, '#all'), { count: names.length })
  },
  oneOfAll: async ({ page, download, payload: { base, names } }: On) => {
    await page.goto(`${base}/login?names=${names}`)
    return download(() => click(page, '#tied'))
  },
  framed: async ({ page, download, payload: { base, names } }: On) => {
    await page.goto(`${base}/login?names=${names}`)
    return [await download(() => click(page, '#framed'))]
  },
  /** Gives up on a window whose file comes late, and goes on to the next. */
  late: async ({ page, download, payload: { base, names } }: On) => {
    await page.goto(`${base}/login?names=${names}`)
    await download(() => click(page, '#slow'), { timeout: 50 }).catch(() => undefined)
    return Promise.all(names.map((name) => download(() => click(page, id(name)))))
  },
  neglected: async ({ page, download, payload: { base, names } }: On) => {
    await page.goto(`${base}/login?names=${names}`)
    for (const name of names) download(() => click(page, id(name))).catch(() => undefined)
  },
})
