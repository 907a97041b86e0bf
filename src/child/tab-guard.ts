/**
 * Makes a used tab as good as blank without paying for a navigation to about:blank, which would cost a third of a small
 * page's time. The old document stays until the next task says what it wants: a navigation of its own replaces it for
 * free; anything else that could see it waits for about:blank first. A tab left idle is blanked anyway. Meanwhile no
 * event of the old document reaches a listener. It never changes what a task sees of its own document.
 */
import type { CDPSession, Frame, Page } from 'puppeteer-core'
import { type Call, callOf } from './patched-call.ts'
import { ALWAYS, HARMLESS, NAVIGATION_EVENTS, replacesDocument } from './document-rules.ts'

/** A tab nobody uses is blanked after this. */
export const IDLE_BLANK_MS = 100
export const BLANK_LIMIT_MS = 5_000
/** From the browser's answer to a navigation until the new document is reported. */
export const COMMIT_LIMIT_MS = 2_000
const BLANK = 'about:blank'

/** Where puppeteer settles on a document before it sends a command: too late to wait there. */
const FRAME_ENTRIES = ['$', '$$', '$eval', '$$eval', 'setContent', 'waitForNavigation'] as const
const REALM_ENTRIES = ['evaluate', 'evaluateHandle', 'adoptBackendNode'] as const

/**
 * `clear`: the document is the task's own. `armed`: it is the last task's. `leaving`: the task navigates away from it.
 * `blanking`: it is being replaced by about:blank.
 */
type Phase = 'clear' | 'armed' | 'leaving' | 'blanking'
interface FrameInternals {
  mainRealm(): object
  isolatedRealm(): object
}
interface NavigationRequest {
  isNavigationRequest(): boolean
  frame(): unknown
}

export class TabGuard {
  /** Set when the old document could not be replaced: the tab must be closed. */
  isBroken = false
  private phase: Phase = 'clear'
  private blanking: Promise<void> | null = null
  private isCommitting = false
  private leaving = Promise.withResolvers<void>()
  private idle: NodeJS.Timeout | null = null
  private readonly page: Page
  private readonly frame: Frame
  private readonly client: CDPSession
  private readonly send: Call
  private readonly url: () => string

  /** `client`: the session by which puppeteer drives the page. */
  constructor(page: Page, client: CDPSession) {
    this.page = page
    this.frame = page.mainFrame()
    this.client = client
    this.send = client.send.bind(client) as unknown as Call
    this.url = page.url.bind(page)
    this.guardSight()
    this.guardCommands()
  }

  /** True while puppeteer still drives the page by what this guards. */
  get isWhole(): boolean {
    return !this.isBroken && this.page.mainFrame() === this.frame
  }

  /** From now on the document counts as somebody else's. */
  arm(): void {
    if (this.phase === 'blanking') return
    if (this.phase === 'clear' && this.url() === BLANK) return
    this.phase = 'armed'
    this.leaving.resolve()
    this.stopIdle()
    this.idle = setTimeout(() => void this.blank().catch(() => undefined), IDLE_BLANK_MS).unref()
  }

  /** Resolves once nothing is left of the last task's document. */
  async cleared(): Promise<void> {
    while (this.phase !== 'clear') {
      if (this.phase === 'leaving') await this.leaving.promise
      else await this.blank()
    }
  }

  /** What a task can see without a command. */
  private guardSight(): void {
    const { page } = this
    const frames = page.frames.bind(page)
    const workers = page.workers.bind(page)
    const emit = page.emit.bind(page) as (type: unknown, event: unknown) => boolean
    const frameUrl = this.frame.url.bind(this.frame)
    patch(page, 'url', () => (this.isClear() ? this.url() : BLANK))
    patch(this.frame, 'url', () => (this.isClear() ? frameUrl() : BLANK))
    patch(page, 'frames', () => (this.isClear() ? frames() : [this.frame]))
    patch(page, 'workers', () => (this.isClear() ? workers() : []))
    patch(page, 'emit', (type: unknown, event: unknown) =>
      this.isClear() || this.passes(type, event) ? emit(type, event) : false,
    )
  }

  private guardCommands(): void {
    const frame = this.frame as Frame & FrameInternals
    for (const entry of FRAME_ENTRIES) this.hold(frame, entry)
    for (const realm of [frame.mainRealm(), frame.isolatedRealm()]) {
      for (const entry of REALM_ENTRIES) this.hold(realm, entry)
    }
    const goto = callOf(frame, 'goto')
    patch(frame, 'goto', (...args: unknown[]) =>
      this.isClear() ? goto(...args) : this.goto(goto, args),
    )
    patch(this.client, 'send', (...args: unknown[]) =>
      this.isClear() ? this.send(...args) : this.gate(String(args[0]), args),
    )
  }

  private hold(target: object, name: string): void {
    const call = callOf(target, name)
    patch(target, name, (...args: unknown[]) =>
      this.isClear() ? call(...args) : this.cleared().then(() => call(...args)),
    )
  }

  private async goto(goto: Call, args: unknown[]): Promise<unknown> {
    // While blanking, puppeteer's own watch over the navigation would take the blank page for the new one.
    const isBlanking = this.phase === 'blanking'
    const keepsDocument = this.phase !== 'leaving' && !replacesDocument(args[0])
    if (isBlanking || keepsDocument) await this.cleared()
    try {
      return await goto(...args)
    } catch (error) {
      if (this.isIn('leaving') && !this.isCommitting) this.arm()
      throw error
    }
  }

  private async gate(method: string, args: unknown[]): Promise<unknown> {
    if (HARMLESS.test(method) || this.phase === 'leaving') return this.send(...args)
    const isNavigation = method === 'Page.navigate'
    if (isNavigation && this.phase === 'armed' && replacesDocument(urlOf(args[1]))) {
      return this.leave(args)
    }
    await this.cleared()
    return this.send(...args)
  }

  private async leave(args: unknown[]): Promise<unknown> {
    this.stopIdle()
    this.phase = 'leaving'
    this.leaving = Promise.withResolvers()
    this.isCommitting = false
    const answer = await this.send(...args).catch((error: unknown) => {
      if (this.isIn('leaving')) this.arm()
      throw error
    })
    // A download or a 204 has not replaced the document: it is still the last task's.
    const isAborted = Reflect.get(Object(answer), 'errorText') === 'net::ERR_ABORTED'
    if (!this.isIn('leaving')) return answer
    if (isAborted) this.arm()
    else this.awaitCommit()
    return answer
  }

  /** The browser has answered: the new document, or an error page, is about to be reported. */
  private awaitCommit(): void {
    this.isCommitting = true
    this.idle = setTimeout(() => {
      if (this.isIn('leaving')) this.arm()
    }, COMMIT_LIMIT_MS).unref()
  }

  /** While leaving, only what belongs to the new navigation passes. */
  private passes(type: unknown, event: unknown): boolean {
    if (ALWAYS.has(type)) return true
    if (this.phase !== 'leaving') return false
    if (type === 'framenavigated' && event === this.frame) {
      this.stopIdle()
      this.phase = 'clear'
      this.leaving.resolve()
      return true
    }
    if (!NAVIGATION_EVENTS.has(type)) return false
    const source = Object(event) as NavigationRequest & { request?: () => NavigationRequest }
    const request = typeof source.request === 'function' ? source.request() : source
    return request.isNavigationRequest() && request.frame() === this.frame
  }

  private blank(): Promise<void> {
    this.stopIdle()
    this.blanking ??= this.toBlank().finally(() => {
      this.blanking = null
    })
    return this.blanking
  }

  private async toBlank(): Promise<void> {
    this.phase = 'blanking'
    try {
      await Promise.all([this.loadedBlank(), this.send('Page.navigate', { url: BLANK })])
      await this.send('Page.resetNavigationHistory')
      this.phase = 'clear'
    } catch (error) {
      this.isBroken = true
      throw error
    }
  }

  private loadedBlank(): Promise<void> {
    return new Promise((resolve, reject) => {
      const onLoad = (): void => {
        if (this.url() !== BLANK) return
        clearTimeout(timer)
        this.client.off('Page.loadEventFired', onLoad)
        resolve()
      }
      const timer = setTimeout(() => {
        this.client.off('Page.loadEventFired', onLoad)
        reject(new Error(`The last task's page could not be left within ${BLANK_LIMIT_MS} ms.`))
      }, BLANK_LIMIT_MS)
      this.client.on('Page.loadEventFired', onLoad)
    })
  }

  private stopIdle(): void {
    if (this.idle !== null) clearTimeout(this.idle)
    this.idle = null
  }

  private isClear(): boolean {
    return this.phase === 'clear'
  }

  private isIn(phase: Phase): boolean {
    return this.phase === phase
  }
}

function urlOf(params: unknown): unknown {
  return Reflect.get(Object(params), 'url')
}

function patch(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, configurable: true, writable: true })
}
