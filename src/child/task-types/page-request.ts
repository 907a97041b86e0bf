/**
 * Opens what a `browser.*` task asks for, in the tab it was given, and says where it ended up. It
 * opens only the schemes that the pool allows.
 */
import type { HTTPResponse, Page } from 'puppeteer-core'
import { TroupeError } from '../../common/errors.ts'
import type { PageFacts, PageRequest } from '../../task-types/built-in.ts'
import type { TaskContext } from '../../task/context.ts'

const DEFAULT_PAGE_TIMEOUT_MS = 30_000

type WaitUntil = NonNullable<PageRequest['waitUntil']>

/** Opens the page. Rejects when it cannot be opened, or its selector does not come in time. */
export async function openPage(
  { page, payload, signal }: TaskContext<PageRequest>,
  schemes: readonly string[],
): Promise<PageFacts> {
  const { url, html, waitFor, headers, viewport, waitUntil = 'load' } = payload
  const timeout = payload.timeout ?? DEFAULT_PAGE_TIMEOUT_MS
  if (viewport !== undefined) {
    const { scale, ...size } = viewport
    await page.setViewport({
      ...size,
      ...(scale === undefined ? {} : { deviceScaleFactor: scale }),
    })
  }
  if (headers !== undefined) await page.setExtraHTTPHeaders({ ...headers })
  let answer: HTTPResponse | null = null
  if (html !== undefined) await showHtml(page, html, { waitUntil, timeout, signal })
  else answer = await page.goto(checkScheme(url ?? '', schemes), { waitUntil, timeout, signal })
  if (waitFor !== undefined) await page.waitForSelector(waitFor, { timeout, signal })
  return factsOf(page, answer)
}

/** `setContent` itself knows no idle network. */
async function showHtml(
  page: Page,
  html: string,
  { waitUntil, ...limits }: { waitUntil: WaitUntil; timeout: number; signal: AbortSignal },
): Promise<void> {
  const isIdle = waitUntil === 'networkidle0' || waitUntil === 'networkidle2'
  await page.setContent(html, { waitUntil: isIdle ? 'load' : waitUntil, ...limits })
  const concurrency = waitUntil === 'networkidle2' ? 2 : 0
  if (isIdle) await page.waitForNetworkIdle({ concurrency, ...limits })
}

/**
 * The URL, if its scheme is allowed.
 *
 * @throws TroupeError PAYLOAD_INVALID, for good.
 */
export function checkScheme(url: string, schemes: readonly string[]): string {
  const scheme = new URL(url).protocol.slice(0, -1)
  if (schemes.includes(scheme)) return url
  const allowed = schemes.map((name) => `${name}:`).join(', ')
  const message = `payload.url: ${scheme}: is not allowed here; these are: ${allowed}`
  throw new TroupeError('PAYLOAD_INVALID', message, { retryable: false })
}

async function factsOf(page: Page, answer: HTTPResponse | null): Promise<PageFacts> {
  const status = answer?.status() ?? 0
  return { url: page.url(), title: await page.title(), status: status === 0 ? null : status }
}
