/**
 * What the workers can do: log in to the portal once each, and download the attachments of one
 * order.
 */
import { defineTasks, type TaskContext, TroupeError } from 'troupe'
import type { Order } from './orders.ts'

/** What becomes of one order. */
export interface OrderResult {
  readonly success: boolean
  readonly files: readonly OrderFile[]
  readonly error?: string
}

export interface OrderFile {
  readonly name: string
  /** Where it lies now. */
  readonly path: string
  readonly bytes: number
  /** Lower-case hex. */
  readonly sha256: string
}

const { PORTAL_URL = '', PORTAL_USER = '', PORTAL_PASSWORD = '' } = process.env

export default defineTasks(
  {
    download: async ({
      page,
      payload: order,
      session,
      download,
      progress,
    }: TaskContext<Order>): Promise<OrderResult> => {
      const response = await page.goto(PORTAL_URL + order.url, { waitUntil: 'domcontentloaded' })
      if (isLoginForm(page.url())) return session.expired()
      const status = response?.status() ?? 0
      if (status !== 200) {
        // What is not there now will not be there in a second: 4xx is final, 5xx is tried again.
        throw new TroupeError('TASK_FAILED', `${order.number}: the portal answered ${status}`, {
          retryable: status >= 500,
        })
      }
      const links = await page.evaluate(() =>
        Array.from(document.querySelectorAll<HTMLAnchorElement>('a.attachment'), (a) => a.href),
      )
      const files: OrderFile[] = []
      for (const link of links) {
        files.push(
          await download(async () => {
            await page.goto(link).catch(ignoreAbort)
            if (isLoginForm(page.url())) session.expired()
          }),
        )
        progress({ files: files.length, of: links.length })
      }
      return { success: true, files }
    },
  },
  {
    session: {
      // Runs at a worker's start, and again after a task has called session.expired().
      login: async ({ page }) => {
        await page.goto(`${PORTAL_URL}/login`, { waitUntil: 'domcontentloaded' })
        await page.type('[name=user]', PORTAL_USER)
        await page.type('[name=password]', PORTAL_PASSWORD)
        await Promise.all([
          page.waitForNavigation({ waitUntil: 'domcontentloaded' }),
          page.click('[type=submit]'),
        ])
        if (isLoginForm(page.url())) throw new Error('the portal refused the user or the password')
      },
    },
  },
)

/** A file that is downloaded leaves the page where it is: to the page, its navigation was aborted. */
function ignoreAbort(error: Error): void {
  if (!error.message.includes('net::ERR_ABORTED')) throw error
}

function isLoginForm(url: string): boolean {
  return new URL(url).pathname === '/login'
}
