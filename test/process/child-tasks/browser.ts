/** Tasks on a real Chromium, for the tests of the child process. */
import { defineTasks } from '../../../src/tasks.ts'
import { type TaskContext } from '../../../src/task/context.ts'

type On = TaskContext<string>
const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

export default defineTasks({
  title: async ({ page, payload }: On) => {
    await page.goto(payload)
    return page.title()
  },
  /** Leaves as much behind as a task can. */
  litter: async ({ page, payload }: On) => {
    const seen: string[] = []
    page.on('response', (response) => seen.push(response.url()))
    page.on('dialog', () => undefined)
    await page.setViewport({ width: 300, height: 200 })
    await page.setExtraHTTPHeaders({ 'x-litter': 'yes' })
    await page.setRequestInterception(true)
    page.on('request', (request) => void request.continue())
    await page.goto(payload)
    await page.evaluate(() => {
      Object.assign(window, { litter: true, name: 'litter' })
      setInterval(() => fetch('/late').catch(() => undefined), 5)
      window.open('/popup')
      history.pushState({}, '', '#here')
    })
    page.setDefaultTimeout(7)
  },
  /** Everything the next task could see of the last one's page, without navigating. */
  look: async ({ page }: TaskContext) => ({
    url: page.url(),
    frames: page.frames().length,
    body: await page.$('body').then((body) => body?.evaluate((node) => node.innerHTML)),
    href: await page.evaluate(() => location.href),
    litter: await page.evaluate(() => Reflect.get(window, 'litter') ?? null),
    name: await page.evaluate(() => window.name),
    pages: (await page.browserContext().pages()).length,
    width: await page.evaluate(() => innerWidth),
    timeout: page.getDefaultTimeout(),
  }),
  /** The same, after navigating to an address that differs from the last in its fragment alone. */
  fragment: async ({ page, payload }: On) => {
    await page.goto(`${payload}#there`)
    return page.evaluate(() => [Reflect.get(window, 'litter') ?? null, location.hash, window.name])
  },
  /** The same, after a navigation that came to nothing. */
  afterNothing: async ({ page, payload }: On) => {
    const error = await page.goto(payload).catch((thrown: Error) => thrown.message)
    return [
      String(error),
      await page.evaluate(() => location.protocol + typeof Reflect.get(window, 'litter')),
    ]
  },
  /** A wait that is begun together with the navigation. */
  together: async ({ page, payload }: On) => {
    const [, link] = await Promise.all([page.goto(payload), page.waitForSelector('a')])
    return link?.evaluate((node) => node.ownerDocument.title)
  },
  /** What reaches listeners that were there before the first navigation. */
  listen: async ({ page, payload }: On) => {
    const seen: string[] = []
    for (const event of ['request', 'response', 'requestfailed'] as const) {
      page.on(event, (source) => seen.push(`${event} ${new URL(source.url()).pathname}`))
    }
    page.on('framenavigated', (frame) => seen.push(`navigated ${new URL(frame.url()).pathname}`))
    page.on('load', () => seen.push('load'))
    const response = await page.goto(payload)
    return { seen, headers: JSON.parse((await response?.text()) ?? '') as Record<string, string> }
  },
  stained: async ({ page, payload }: On) => {
    await page.setUserAgent({ userAgent: 'stained' })
    await page.goto(payload)
  },
  /** Tells when its page hangs. */
  spin: async ({ page, payload, progress }: On) => {
    await page.goto(payload)
    page.on('console', () => progress('spinning'))
    await page.evaluate(() => {
      console.log('spinning')
      while (true);
    })
  },
  /** Ends well, but leaves a page behind that hangs. */
  spinLater: async ({ page, payload }: On) => {
    await page.goto(payload)
    await page.evaluate(() => {
      setTimeout(() => {
        while (true);
      }, 0)
    })
    await later(20)
  },
  alert: ({ page }: TaskContext) => page.evaluate(() => window.confirm('really?')),
  kill: async ({ page, payload }: TaskContext<number>) => {
    await page.evaluate(() => 1)
    process.kill(payload, 'SIGKILL')
    await page.waitForSelector('never')
  },
  crash: ({ page }: TaskContext) => page.goto('chrome://crash'),
  download: ({ download, payload }: On) => download(payload, { timeout: 5_000 }),
  downloadBig: ({ download, payload }: On) => download(payload, { maxBytes: 1_000 }),
  downloadByClick: async ({ page, download, payload }: On) => {
    await page.goto(payload)
    return download(() => page.click('a'), { name: 'clicked.bin' })
  },
  downloadThenLook: async ({ page, download, payload }: On) => {
    await download(payload)
    return page.evaluate(() => [location.href, Reflect.get(window, 'litter') ?? null])
  },
  pdf: async ({ page, payload, artifact }: On) => {
    await page.goto(payload)
    return artifact('page.pdf', await page.pdf())
  },
})
