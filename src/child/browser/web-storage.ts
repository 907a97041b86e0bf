/**
 * Carries cookies and localStorage from one browser context to another. localStorage can only be
 * reached from inside its origin: a page of our own goes there, and every request it makes is
 * answered here, so that neither the server nor a service worker ever hears of it.
 */
import type { BrowserContext, CDPSession, Page, Protocol } from 'puppeteer-core'
import type { StorageState, StoredCookie } from '../../task/session-definition.ts'

type CookieParam = Protocol.Network.CookieParam

/** What a context can begin with. */
export interface Seed {
  readonly cookies: readonly CookieParam[]
  readonly origins: NonNullable<StorageState['origins']>
}

type Items = { name: string; value: string }[]
const EMPTY_PAGE = Buffer.from('<!doctype html>').toString('base64')

export function seedOf(state: StorageState | null): Seed {
  const { cookies = [], origins = [] } = state ?? {}
  return { cookies: cookies.map(cookieOf), origins }
}

/** The origins that a context's pages have been at: only there it can have localStorage. */
export class OriginLog {
  readonly #origins = new Set<string>()

  constructor(page: Page, context: BrowserContext) {
    page.on('framenavigated', (frame) => {
      if (frame === page.mainFrame()) this.#note(frame.url())
    })
    // A login may lead through a window of its own.
    context.on('targetchanged', (target) => {
      if (target.type() === 'page') this.#note(target.url())
    })
  }

  all(): string[] {
    return [...this.#origins]
  }

  #note(url: string): void {
    if (!/^https?:/.test(url) || this.#origins.size >= MAX_ORIGINS) return
    this.#origins.add(new URL(url).origin)
  }
}

/** `browser`: the session of the browser as a whole. */
export async function harvest(
  browser: CDPSession,
  context: BrowserContext,
  origins: readonly string[],
): Promise<Seed> {
  const { cookies } = await browser.send('Storage.getCookies', scopeOf(context))
  if (origins.length === 0) return { cookies: cookies.map(hostOnly), origins: [] }
  const found = await visit(context, origins, async (page, origin) => ({
    origin,
    localStorage: await page.evaluate((): Items => {
      const names = Array.from({ length: localStorage.length }, (_, index) =>
        String(localStorage.key(index)),
      )
      return names.map((name) => ({ name, value: localStorage.getItem(name) ?? '' }))
    }),
  }))
  const kept = found.filter(({ localStorage }) => localStorage.length > 0)
  return { cookies: cookies.map(hostOnly), origins: kept }
}

export async function plantCookies(
  browser: CDPSession,
  context: BrowserContext,
  { cookies }: Seed,
): Promise<void> {
  if (cookies.length === 0) return
  await browser.send('Storage.setCookies', { cookies: [...cookies], ...scopeOf(context) })
}

/** Needs a page in the context already: a browser may end with its last one. */
export async function plantOrigins(context: BrowserContext, { origins }: Seed): Promise<void> {
  const full = origins.filter(({ localStorage }) => localStorage.length > 0)
  if (full.length === 0) return
  const items = new Map(full.map(({ origin, localStorage }) => [origin, localStorage]))
  await visit(context, [...items.keys()], (page, origin) =>
    page.evaluate(
      (list) => {
        for (const { name, value } of list) localStorage.setItem(name, value)
      },
      [...(items.get(origin) ?? [])],
    ),
  )
}

async function visit<T>(
  context: BrowserContext,
  origins: readonly string[],
  act: (page: Page, origin: string) => Promise<T>,
): Promise<T[]> {
  const page = await context.newPage()
  try {
    const session = await page.createCDPSession()
    session.on('Fetch.requestPaused', ({ requestId }) => {
      const body = { responseCode: 200, body: EMPTY_PAGE }
      const responseHeaders = [{ name: 'content-type', value: 'text/html' }]
      // The page may be gone by now.
      session
        .send('Fetch.fulfillRequest', { requestId, responseHeaders, ...body })
        .catch(() => undefined)
    })
    await session.send('Fetch.enable', { patterns: [{ urlPattern: '*' }] })
    await session.send('Network.enable')
    await session.send('Network.setBypassServiceWorker', { bypass: true })
    const results: T[] = []
    for (const origin of origins) {
      await page.goto(origin, { waitUntil: 'domcontentloaded' })
      results.push(await act(page, origin))
    }
    return results
  } finally {
    await page.close().catch(() => undefined)
  }
}

function scopeOf({ id }: BrowserContext): { browserContextId?: string } {
  return id === undefined ? {} : { browserContextId: id }
}

function cookieOf({ expires, ...cookie }: StoredCookie): CookieParam {
  const { name, value, domain, path, httpOnly, secure, sameSite } = cookie
  return hostOnly({
    name,
    value,
    domain,
    path: path ?? '/',
    ...(expires === undefined || expires < 0 ? {} : { expires }),
    ...(httpOnly === undefined ? {} : { httpOnly }),
    ...(secure === undefined ? {} : { secure }),
    ...(sameSite === undefined ? {} : { sameSite }),
  })
}

/** One whose name begins with `__Host-` is refused when it names a domain. */
function hostOnly(cookie: CookieParam): CookieParam {
  const { domain, ...rest } = cookie
  if (!cookie.name.startsWith('__Host-') || domain === undefined) return cookie
  return { ...rest, url: `https://${domain}${cookie.path ?? '/'}` }
}

/** Each costs a moment at the start of every clean context. */
export const MAX_ORIGINS = 100
