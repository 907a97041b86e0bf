/**
 * Makes a used tab as good as blank without paying for a navigation to about:blank, which would cost a third of a small
 * page's time. The old document stays until the next task says what it wants: a navigation of its own replaces it for
 * free; anything else that could see it waits for about:blank first. A tab left idle is blanked anyway. Meanwhile no
 * event of the old document reaches a listener. It never changes what a task sees of its own document.
 */
import type { CDPSession, Dialog, Frame, Page } from 'puppeteer-core'
import {
  ALWAYS,
  HARMLESS,
  NAVIGATION_EVENTS,
  replacesDocument,
} from '../downloads/document-rules.ts'
import { makeLetGo, silence } from './old-document.ts'
import { type Call, callOf } from '../patched-call.ts'

/** A tab nobody uses is blanked after this. */
export const IDLE_BLANK_MS = 100
const BLANK_LIMIT_MS = 5_000
/** From the browser's answer to a navigation until the new document is reported. */
const COMMIT_LIMIT_MS = 2_000
const BLANK = 'about:blank'

/** Where puppeteer settles on a document before it sends a command: too late to wait there. */
const FRAME_ENTRIES = ['$', '$$', '$eval', '$$eval', 'setContent', 'waitForNavigation'] as const
const REALM_ENTRIES = ['evaluate', 'evaluateHandle', 'adoptBackendNode'] as const

/**
 * `clear`: the document is the task's own. `resetting`: its task is over. `armed`: it is the last
 * task's. `leaving`: the task navigates away from it. `blanking`: it is being replaced by
 * about:blank.
 */
type Phase = 'clear' | 'resetting' | 'armed' | 'leaving' | 'blanking'
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
  #phase: Phase = 'clear'
  /** The document may be other than an empty one. */
  #isUsed = false
  #blanking: Promise<void> | null = null
  #isCommitting = false
  #leaving = Promise.withResolvers<void>()
  #idle: NodeJS.Timeout | null = null
  readonly #page: Page
  readonly #frame: Frame
  readonly #client: CDPSession
  readonly #send: Call
  readonly #url: () => string

  readonly #watchdog: CDPSession
  readonly #onCommand: (method: string, params: unknown) => void

  /**
   * `client`: the session by which puppeteer drives the page. `onCommand`: told of what a task sends
   * by it.
   */
  constructor(
    page: Page,
    client: CDPSession,
    watchdog: CDPSession,
    onCommand: (method: string, params: unknown) => void,
  ) {
    this.#page = page
    this.#watchdog = watchdog
    this.#onCommand = onCommand
    this.#frame = page.mainFrame()
    this.#client = client
    this.#send = client.send.bind(client) as unknown as Call
    this.#url = page.url.bind(page)
    this.#guardSight()
    this.#guardCommands()
  }

  /** True while puppeteer still drives the page by what this guards. */
  get isWhole(): boolean {
    return !this.isBroken && this.#page.mainFrame() === this.#frame
  }

  /**
   * The task is over: no event of its document is told any more, and what it would do when it is
   * left is taken from it. Rejects when that can't be done. Ends with `arm`.
   */
  async retire(): Promise<void> {
    if (this.#phase === 'blanking' || (this.#phase === 'clear' && !this.#isUsed)) return
    this.#phase = 'resetting'
    this.#leaving.resolve()
    await silence(this.#frame, this.#send)
  }

  /** From now on the document counts as somebody else's. */
  arm(): void {
    if (this.#phase === 'blanking' || (this.#phase === 'clear' && !this.#isUsed)) return
    this.#phase = 'armed'
    this.#leaving.resolve()
    this.#stopIdle()
    this.#idle = setTimeout(() => void this.#blank().catch(() => undefined), IDLE_BLANK_MS).unref()
  }

  /** Resolves once nothing is left of the last task's document. */
  async cleared(): Promise<void> {
    while (this.#phase !== 'clear') {
      if (this.#phase === 'leaving') await this.#leaving.promise
      else await this.#blank()
    }
  }

  /** What a task can see without a command. */
  #guardSight(): void {
    const page = this.#page
    const frames = page.frames.bind(page)
    const workers = page.workers.bind(page)
    const emit = page.emit.bind(page) as (type: unknown, event: unknown) => boolean
    const frameUrl = this.#frame.url.bind(this.#frame)
    patch(page, 'url', () => (this.#isClear() ? this.#url() : BLANK))
    patch(this.#frame, 'url', () => (this.#isClear() ? frameUrl() : BLANK))
    patch(page, 'frames', () => (this.#isClear() ? frames() : [this.#frame]))
    patch(page, 'workers', () => (this.#isClear() ? workers() : []))
    patch(page, 'emit', (type: unknown, event: unknown) =>
      this.#isClear() || this.#passes(type, event) ? emit(type, event) : false,
    )
  }

  #guardCommands(): void {
    const frame = this.#frame as Frame & FrameInternals
    for (const entry of FRAME_ENTRIES) this.#hold(frame, entry)
    for (const realm of [frame.mainRealm(), frame.isolatedRealm()]) {
      for (const entry of REALM_ENTRIES) this.#hold(realm, entry)
    }
    const goto = callOf(frame, 'goto')
    patch(frame, 'goto', (...args: unknown[]) =>
      this.#isClear() ? goto(...args) : this.#goto(goto, args),
    )
    patch(this.#client, 'send', (...args: unknown[]) => {
      const method = String(args[0])
      if (this.#phase === 'resetting') return this.#send(...args)
      this.#onCommand(method, args[1])
      if (!this.#isClear()) return this.#gate(method, args)
      this.#isUsed ||= !HARMLESS.test(method)
      return this.#send(...args)
    })
  }

  #hold(target: object, name: string): void {
    const call = callOf(target, name)
    patch(target, name, (...args: unknown[]) =>
      this.#isClear() ? call(...args) : this.cleared().then(() => call(...args)),
    )
  }

  async #goto(goto: Call, args: unknown[]): Promise<unknown> {
    // While blanking, puppeteer's own watch over the navigation would take the blank page for the new one.
    const isBlanking = this.#phase === 'blanking'
    const keepsDocument = this.#phase !== 'leaving' && !replacesDocument(args[0])
    if (isBlanking || keepsDocument) await this.cleared()
    try {
      return await goto(...args)
    } catch (error) {
      if (this.#isIn('leaving') && !this.#isCommitting) this.arm()
      throw error
    }
  }

  async #gate(method: string, args: unknown[]): Promise<unknown> {
    if (HARMLESS.test(method) || this.#phase === 'leaving') return this.#send(...args)
    const isNavigation = method === 'Page.navigate'
    if (isNavigation && this.#phase === 'armed' && replacesDocument(urlOf(args[1]))) {
      return this.#leave(args)
    }
    await this.cleared()
    return this.#send(...args)
  }

  async #leave(args: unknown[]): Promise<unknown> {
    this.#stopIdle()
    this.#phase = 'leaving'
    this.#leaving = Promise.withResolvers()
    this.#isCommitting = false
    void makeLetGo(this.#watchdog, this.#leaving.promise)
    const answer = await this.#send(...args).catch((error: unknown) => {
      if (this.#isIn('leaving')) this.arm()
      throw error
    })
    // A download or a 204 has not replaced the document: it is still the last task's.
    const isAborted = Reflect.get(Object(answer), 'errorText') === 'net::ERR_ABORTED'
    if (!this.#isIn('leaving')) return answer
    if (isAborted) this.arm()
    else this.#awaitCommit()
    return answer
  }

  /** The browser has answered: the new document, or an error page, is about to be reported. */
  #awaitCommit(): void {
    this.#isCommitting = true
    this.#idle = setTimeout(() => {
      if (this.#isIn('leaving')) this.arm()
    }, COMMIT_LIMIT_MS).unref()
  }

  /** While leaving, only what belongs to the new navigation passes. */
  #passes(type: unknown, event: unknown): boolean {
    if (ALWAYS.has(type)) return true
    if (type === 'dialog') answerDialog(event as Dialog)
    if (this.#phase !== 'leaving') return false
    if (type === 'framenavigated' && event === this.#frame) {
      this.#stopIdle()
      this.#isUsed = true
      this.#phase = 'clear'
      this.#leaving.resolve()
      return true
    }
    if (!NAVIGATION_EVENTS.has(type)) return false
    const source = Object(event) as NavigationRequest & { request?: () => NavigationRequest }
    const request = typeof source.request === 'function' ? source.request() : source
    return request.isNavigationRequest() && request.frame() === this.#frame
  }

  #blank(): Promise<void> {
    this.#stopIdle()
    this.#blanking ??= this.#toBlank().finally(() => {
      this.#blanking = null
    })
    return this.#blanking
  }

  async #toBlank(): Promise<void> {
    this.#phase = 'blanking'
    try {
      const blanked = Promise.all([
        this.#loadedBlank(),
        this.#send('Page.navigate', { url: BLANK }),
      ])
      void makeLetGo(this.#watchdog, blanked)
      await blanked
      await this.#send('Page.resetNavigationHistory')
      this.#phase = 'clear'
      this.#isUsed = false
    } catch (error) {
      this.isBroken = true
      throw error
    }
  }

  #loadedBlank(): Promise<void> {
    return new Promise((resolve, reject) => {
      const onLoad = (): void => {
        if (this.#url() !== BLANK) return
        clearTimeout(timer)
        this.#client.off('Page.loadEventFired', onLoad)
        resolve()
      }
      const timer = setTimeout(() => {
        this.#client.off('Page.loadEventFired', onLoad)
        reject(new Error(`the last task's page could not be left within ${BLANK_LIMIT_MS} ms`))
      }, BLANK_LIMIT_MS)
      this.#client.on('Page.loadEventFired', onLoad)
    })
  }

  #stopIdle(): void {
    if (this.#idle !== null) clearTimeout(this.#idle)
    this.#idle = null
  }

  #isClear(): boolean {
    return this.#phase === 'clear'
  }

  #isIn(phase: Phase): boolean {
    return this.#phase === phase
  }
}

function urlOf(params: unknown): unknown {
  return Reflect.get(Object(params), 'url')
}

function patch(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, configurable: true, writable: true })
}

/** For nobody: a page that is to be left is left, and no other question is answered with yes. */
export function answerDialog(dialog: Dialog): void {
  const answer = dialog.type() === 'beforeunload' ? dialog.accept() : dialog.dismiss()
  answer.catch(() => undefined)
}
