/**
 * The session machine at work: an actor of it, with every command carried out by a driver. What comes back from the
 * driver is told to the machine as events; the machine alone decides what follows. Deeds of a browser that has been
 * replaced are recognised by their generation and have no effect.
 */
import { type Actor, createActor } from 'xstate'
import { sessionMachine, type SessionReport } from '../../machines/session.ts'
import type {
  SessionMachineContext,
  SessionMachineEvent,
  SessionPolicy,
} from '../../machines/session-facts.ts'
import type { ErrorFacts } from '../../machines/vocabulary.ts'
import { TroupeError } from '../errors.ts'
import type { SessionDefinition } from '../tasks.ts'
import type { LaunchSpec } from '../worker/protocol.ts'
import type { LadderPorts } from './abort-ladder.ts'
import type { BrowserDriver, DrivenBrowser } from './browser-driver.ts'
import { isUnlaunchable, sessionFailureFacts } from './launch-errors.ts'
import { succeeds } from './limit.ts'
import { type HookPorts, SessionHooks } from './session-hooks.ts'
import { type Seat, TabSet } from './tab-set.ts'

export const LOGIN_LIMIT_MS = 60_000
export const CLOSE_LIMIT_MS = 10_000
/** The state `resetting` as a whole; one tab's reset has a limit of its own, far below. */
export const RENEW_LIMIT_MS = 20_000
export const RELAUNCH_LIMIT = 3
export const LOGIN_ATTEMPTS = 2
const KILL_LIMIT_MS = 2_000

/** An attempt that asks for a tab. */
export interface SeatRequest {
  onSeat(seat: Seat): void
  /** No tab will come: the session has failed. */
  onRefused(error: TroupeError): void
}

/** What the session tells the process it lives in. */
export interface SessionListener {
  onReady(browserPid: number | null): void
  onLost(browserPid: number): void
  onFailed(error: ErrorFacts, permanent: boolean): void
  onClosed(): void
  onLogin(): void
  onLog(level: 'error' | 'warn', message: string, error?: unknown): void
}

export interface SessionHostOptions {
  readonly spec: LaunchSpec
  readonly driver: Promise<BrowserDriver>
  readonly definition: SessionDefinition | null
  readonly concurrency: number
  readonly hooks: Omit<HookPorts, 'borrow' | 'giveBack'>
  readonly listener: SessionListener
}

export class SessionHost implements LadderPorts {
  readonly hasLogin: boolean
  private readonly options: SessionHostOptions
  private readonly actor: Actor<typeof sessionMachine>
  private readonly hooks: SessionHooks
  private readonly waiting: SeatRequest[] = []
  private driver: BrowserDriver | null = null
  private current: DrivenBrowser | null = null
  private tabs: TabSet | null = null
  /** The pid to name when the browser is lost, which by then is no more. */
  private browserPid: number | null = null
  private generation = 0
  private lastError: unknown = null
  private checking = false

  constructor(options: SessionHostOptions) {
    this.options = options
    this.hasLogin = options.definition?.login !== undefined
    this.hooks = new SessionHooks(options.definition, {
      ...options.hooks,
      borrow: () => this.borrow(),
      giveBack: (seat) => this.tabs?.giveBack(seat),
    })
    this.actor = createActor(this.machine(), { id: 'session', input: { policy: this.policy() } })
    this.actor.subscribe({ error: (error) => this.defect(error) })
    this.actor.start()
  }

  open(): void {
    this.tell({ type: 'open.ordered' })
  }

  close(): void {
    this.tell({ type: 'close.ordered' })
  }

  /** Gives the attempt a tab as soon as the session can. */
  request(request: SeatRequest): void {
    if (this.actor.getSnapshot().matches('failed')) return request.onRefused(this.refusal())
    this.waiting.push(request)
    this.serve()
  }

  /** The attempt no longer wants its tab. */
  withdraw(request: SeatRequest): void {
    const index = this.waiting.indexOf(request)
    if (index >= 0) this.waiting.splice(index, 1)
  }

  /** The attempt that held the seat has ended. */
  release(seat: Seat): void {
    const { tabs } = this
    if (tabs === null || !tabs.holds(seat)) return
    this.tell({ type: 'tab.returned' })
    tabs.giveBack(seat)
  }

  /** A task has found that the login is gone. */
  expire(): void {
    this.tell({ type: 'session.expired' })
  }

  browser(): DrivenBrowser | null {
    return this.current
  }

  onHung(error: unknown): void {
    this.lastError = error
    this.options.listener.onLog('warn', 'The browser hangs; it is killed and started anew.', error)
    this.tell({ type: 'browser.hung' })
  }

  private policy(): SessionPolicy {
    return {
      concurrency: this.options.concurrency,
      hasLogin: this.hasLogin,
      relaunchLimit: RELAUNCH_LIMIT,
      loginLimit: LOGIN_ATTEMPTS,
      launchTimeoutMs: this.options.spec.launchTimeoutMs,
      loginTimeoutMs: LOGIN_LIMIT_MS,
      resetTimeoutMs: RENEW_LIMIT_MS,
      closeTimeoutMs: CLOSE_LIMIT_MS,
    }
  }

  private machine() {
    return sessionMachine.provide({
      actions: {
        'browser.launch': () => void this.launch(),
        'browser.close': () => void this.closeBrowser(),
        'browser.kill': () => this.kill(),
        'session.login': () => void this.login(),
        'tabs.warm': () => this.tabs?.fill(),
        'tabs.drop': () => this.drop(),
        'session.report': ({ context }, params) => this.report(params.report, context),
        'event.unexpected': ({ event }) =>
          this.options.listener.onLog('error', `The session did not expect "${event.type}".`),
      },
    })
  }

  private tell(event: SessionMachineEvent): void {
    this.actor.send(event)
    this.serve()
  }

  private serve(): void {
    while (this.waiting.length > 0 && this.maySeat()) {
      if (this.hooks.isCheckDue()) return void this.check()
      const seat = this.tabs?.take()
      const request = seat ? this.waiting.shift() : undefined
      if (!seat || !request) return
      this.hooks.onTaskBegun()
      this.actor.send({ type: 'tab.taken' })
      request.onSeat(seat)
    }
  }

  private maySeat(): boolean {
    if (this.checking || this.tabs === null || this.tabs.warmCount === 0) return false
    const snapshot = this.actor.getSnapshot()
    const { working, policy } = snapshot.context
    return snapshot.hasTag('serving') && working < policy.concurrency
  }

  private async launch(): Promise<void> {
    this.generation += 1
    const { generation } = this
    let browser: DrivenBrowser | null = null
    try {
      this.driver = await this.options.driver
      browser = await this.driver.launch(this.options.spec)
      if (generation !== this.generation) return browser.kill()
      const tabs = this.tabSet(browser, generation)
      browser.onDisconnected(() => this.disconnected(generation))
      this.current = browser
      this.browserPid = browser.pid
      await tabs.openFirst()
      if (generation !== this.generation) return
      this.tabs = tabs
      this.tell({ type: 'browser.launched' })
    } catch (error) {
      if (generation !== this.generation) return
      this.lastError = error
      browser?.kill()
      this.tell({ type: 'browser.failed', permanent: isUnlaunchable(error) })
    }
  }

  private tabSet(browser: DrivenBrowser, generation: number): TabSet {
    const isFresh = this.options.spec.isolation === 'context'
    // A tab that is never used twice must be made ahead; one that is reset is ready again in no time.
    const size = this.options.concurrency + (isFresh ? 1 : 0)
    return new TabSet(browser, size, isFresh, {
      onWarm: (all) => {
        if (generation !== this.generation) return
        if (all) this.tell({ type: 'tabs.renewed' })
        else this.serve()
      },
      onHung: (error) => {
        if (generation === this.generation) this.onHung(error)
      },
    })
  }

  private disconnected(generation: number): void {
    if (generation !== this.generation) return
    // Before its first tab is open, the launch has failed: openTab rejects, or never answers.
    if (this.tabs === null) {
      this.generation += 1
      this.lastError = new TroupeError('BROWSER_LOST', 'The browser ended while it started.')
      this.tell({ type: 'browser.failed', permanent: false })
      return
    }
    this.tell({ type: 'browser.disconnected' })
  }

  private drop(): void {
    const { tabs } = this
    this.tabs = null
    this.current = null
    this.hooks.abort()
    tabs?.drop()
  }

  private kill(): void {
    this.generation += 1
    this.current?.kill()
    // A launch that has not ended yet has no browser to kill, but it may have a process.
    this.driver?.killAll?.()
  }

  private async closeBrowser(): Promise<void> {
    const browser = this.current
    this.generation += 1
    this.hooks.abort()
    const closed =
      browser !== null && (await succeeds(CLOSE_LIMIT_MS - KILL_LIMIT_MS, browser.close()))
    if (!closed) this.kill()
    this.tell({ type: 'browser.closed' })
  }

  private async login(): Promise<void> {
    const { generation } = this
    try {
      await this.hooks.login()
    } catch (error) {
      if (generation !== this.generation) return
      this.lastError = error
      this.options.listener.onLog('warn', 'The login hook failed.', error)
      this.tell({ type: 'login.failed' })
      return
    }
    if (generation !== this.generation) return
    this.options.listener.onLogin()
    this.tell({ type: 'login.succeeded' })
  }

  /** Nothing is seated meanwhile, so that no task starts without its login. */
  private async check(): Promise<void> {
    this.checking = true
    const { generation } = this
    const isLoggedIn = await this.hooks.check()
    this.checking = false
    if (generation !== this.generation) return
    if (!isLoggedIn) this.tell({ type: 'session.expired' })
    else this.serve()
  }

  private borrow(): Promise<Seat> {
    if (this.tabs !== null) return this.tabs.borrow()
    return Promise.reject(new TroupeError('BROWSER_LOST', 'The browser is gone.'))
  }

  private report(report: SessionReport, { failure, permanent }: SessionMachineContext): void {
    const { listener } = this.options
    if (report === 'ready') listener.onReady(this.browserPid)
    else if (report === 'lost') listener.onLost(this.browserPid ?? 0)
    else if (report === 'closed') listener.onClosed()
    else {
      listener.onFailed(sessionFailureFacts(failure, this.lastError), permanent)
      for (const request of this.waiting.splice(0)) request.onRefused(this.refusal())
    }
  }

  private refusal(): TroupeError {
    return new TroupeError('BROWSER_LOST', 'The session of this worker has failed.', {
      cause: this.lastError,
    })
  }

  private defect(error: unknown): void {
    this.options.listener.onLog('error', 'The session machine has failed.', error)
  }
}
