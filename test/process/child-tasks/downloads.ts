/** What tasks do that want several files at once. */
import type { Page } from 'puppeteer-core'
import { defineTasks } from '../../../src/tasks.ts'
import { type TaskContext } from '../../../src/task/context.ts'

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
    await download(() => click(page, '#slow'), { timeout: 300 }).catch(() => undefined)
    return Promise.all(names.map((name) => download(() => click(page, `#later-${name}`))))
  },
  /** Gives up on a file of the page itself that comes during the next action. */
  lateHere: async ({ page, download, payload: { base, names } }: On) => {
    await page.goto(`${base}/login?names=${names}`)
    const files = []
    for (const [index, name] of names.entries()) {
      const slow = ['#slow-link', '#slow-frame', '#slow-plain'][index] ?? ''
      await download(() => click(page, slow), { timeout: 300 }).catch(() => undefined)
      // Its own file is slower than the late one.
      files.push(await download(() => click(page, `#later-${name}`)))
    }
    return files
  },
  /** Does not know that an action begins two files, of which the second is slow. */
  unknownSecond: async ({ page, download, payload: { base, names } }: On) => {
    await page.goto(`${base}/login?names=${names}`)
    const [, b = ''] = names
    const first = await download(() => click(page, '#with-slow'))
    return [first, await download(() => click(page, `#later-${b}`))]
  },
  /** A blob has no request: it can't be told whose it is. */
  lateBlob: async ({ page, download, payload: { base, names } }: On) => {
    await page.goto(`${base}/login?names=${names}`)
    await download(() => click(page, '#blob'))
    await download(() => click(page, '#slow-blob'), { timeout: 300 }).catch(() => undefined)
    return download(() => click(page, `#later-${names[0]}`))
  },
  neglected: async ({ page, download, payload: { base, names } }: On) => {
    await page.goto(`${base}/login?names=${names}`)
    for (const name of names) download(() => click(page, id(name))).catch(() => undefined)
  },
})
