/**
 * A hidden window in which one URL is downloaded: its frame is nobody else's, so the download that begins in it can
 * only be that URL's. It sends what the task's page would send, and is closed with the download.
 */
import type { CDPSession, Page } from 'puppeteer-core'
import type { TabSettings } from '../tab-settings.ts'
import { callOf } from '../patched-call.ts'

/** Settings of a page that change what it requests, as the browser was last told. */
const STICKY: ReadonlySet<unknown> = new Set([
  'Network.setExtraHTTPHeaders',
  'Network.setUserAgentOverride',
  'Network.setCacheDisabled',
  'Network.setBypassServiceWorker',
  'Network.emulateNetworkConditions',
  'Emulation.setUserAgentOverride',
  'Emulation.setLocaleOverride',
])
type Credentials = NonNullable<TabSettings['credentials']>
type Send = (method: string, params?: unknown) => Promise<unknown>

/** Remembers how a page makes its requests, so that another window can make them alike. */
export class RequestSettings {
  credentials: Credentials | null = null
  readonly #reported = new Map<string, unknown>()

  /** `settings`: what the page was told before. */
  constructor(page: Page, client: CDPSession, { credentials, headers }: TabSettings) {
    this.credentials = credentials
    if (Object.keys(headers).length > 0) {
      this.#reported.set('Network.setExtraHTTPHeaders', { headers: { ...headers } })
    }
    const send = callOf(client, 'send')
    this.#patch(client, 'send', (...args: unknown[]) => {
      if (STICKY.has(args[0])) this.#reported.set(String(args[0]), args[1])
      return send(...args)
    })
    const authenticate = callOf(page, 'authenticate')
    this.#patch(page, 'authenticate', (...args: unknown[]) => {
      this.credentials = (args[0] ?? null) as Credentials | null
      return authenticate(...args)
    })
  }

  async applyTo(session: CDPSession): Promise<void> {
    const send = session.send.bind(session) as unknown as Send
    await Promise.all([...this.#reported].map(([method, params]) => send(method, params)))
  }

  #patch(target: object, name: string, value: unknown): void {
    Object.defineProperty(target, name, { value, configurable: true, writable: true })
  }
}

interface DownloadWindow {
  /** Of the window, and of its main frame. */
  readonly id: string
  readonly session: CDPSession
  close(): void
}

/** `session`: of the browser as a whole. The window shares the page's cookies. */
export async function openDownloadWindow(
  session: CDPSession,
  page: Page,
  settings: RequestSettings,
): Promise<DownloadWindow> {
  const { id: browserContextId } = page.browserContext()
  const { targetId: id } = await session.send('Target.createTarget', {
    url: 'about:blank',
    hidden: true,
    ...(browserContextId === undefined ? {} : { browserContextId }),
  })
  const close = (): void => {
    // It may have gone with its context.
    session.send('Target.closeTarget', { targetId: id }).catch(() => undefined)
  }
  try {
    const { sessionId } = await session.send('Target.attachToTarget', {
      targetId: id,
      flatten: true,
    })
    const own = session.connection()?.session(sessionId) ?? null
    if (own === null) throw new TypeError('puppeteer made no session of a window it attached to')
    await settings.applyTo(own)
    return { id, session: own, close }
  } catch (error) {
    close()
    throw error
  }
}
