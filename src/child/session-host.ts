/**
 * The session machine at work: an actor of it, with every command carried out, and the attempts that wait for its tabs.
 * What comes back from the browser and the hooks is told to the machine; the machine alone decides what follows.
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
import type { Recorder } from '../inspect/recorder.ts'
import { withDeeds } from '../pool/machine-deeds.ts'
import type { DeedFailure } from '../pool/port-failure.ts'
import type { SessionDefinition } from '../task/session-definition.ts'
import type { LadderPorts } from './abort-ladder.ts'
import type { DrivenBrowser } from './browser-driver.ts'
import { BrowserKeeper, type KeeperOptions } from './browser-keeper.ts'
import type { Home } from './home.ts'
import { sessionFailureFacts } from './launch-errors.ts'
import { type HookPorts, SessionHooks } from './session-hooks.ts'
import type { Seat } from './tab-set.ts'

export const LOGIN_LIMIT_MS = 60_000
export const CLOSE_LIMIT_MS = 10_000
/** The state `resetting` as a whole; one tab's reset has a limit of its own, far below. */
export const RENEW_LIMIT_MS = 20_000
export const RELAUNCH_LIMIT = 3
export const LOGIN_ATTEMPTS = 2
/** The keeper kills a browser that does not close a little before the machine would. */
const KILL_MARGIN_MS = 2_000

/** An attempt that asks for a tab. */
export interface SeatRequest {
  onSeat(seat: Seat): void
  /** No tab will come: the session has failed. */
  onRefused(error: TroupeError): void
}

/** What the session tells the process it lives in. */
export interface SessionListener {
  /** The browser runs, and the login hook begins. */
  onLaunched(): void
  onReady(browserPid: number | null): void
  onLost(browserPid: number): void
  onFailed(error: ErrorFacts, permanent: boolean): void
  onClosed(): void
  onLogin(): void
  onLog(level: 'error' | 'warn', message: string, error?: unknown): void
  /** What it was to do threw, or its machine did: it is not to be relied on any more. */
  onDefect(error: unknown): void
}

export interface SessionHostOptions extends KeeperOptions {
  readonly definition: SessionDefinition
  readonly hooks: Omit<HookPorts, 'borrow' | 'giveBack'>
  readonly listener: SessionListener
  readonly stepped: Home['stepped']
  /** Told of every step of the session. */
  readonly recorder?: Pick<Recorder, 'attach'> | null
}

export class SessionHost implements LadderPorts {
  readonly hasLogin: boolean
  private readonly options: SessionHostOptions
  private readonly actor: Actor<typeof sessionMachine>
  private readonly hooks: SessionHooks
  private readonly waiting: SeatRequest[] = []
  private readonly keeper: BrowserKeeper
  private checking = false

  constructor(options: SessionHostOptions) {
    this.options = options
    this.hasLogin = options.definition.login !== undefined
    this.keeper = new BrowserKeeper(options, {
      tell: (event) => this.tell(event),
      onTabWarm: () => this.serve(),
      onHung: (error) => this.onHung(error),
    })
    this.hooks = new SessionHooks(options.definition, {
      ...options.hooks,
      borrow: () => this.borrow(),
      giveBack: (seat) => this.keeper.tabs?.giveBack(seat),
    })
    this.actor = createActor(this.machine(), { id: 'session', input: { policy: this.policy() } })
    this.actor.subscribe({ error: (error) => options.listener.onDefect(error) })
    options.recorder?.attach(this.actor, 'session')
    this.actor.start()
  }

  open(): void {
    this.tell({ type: 'open.ordered' })
  }

  close(): void {
    this.tell({ type: 'close.ordered' })
  }

  /** Ends at once and for good: nothing is told, nothing is launched again. */
  abandon(): void {
    this.waiting.length = 0
    this.hooks.abort()
    this.actor.stop()
    this.keeper.kill()
    this.keeper.drop()
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
    const { tabs } = this.keeper
    if (tabs === null || !tabs.holds(seat)) return
    this.tell({ type: 'tab.returned' })
    tabs.giveBack(seat)
  }

  /** A task has found that the login is gone. */
  expire(): void {
    this.tell({ type: 'session.expired' })
  }

  browser(): DrivenBrowser | null {
    return this.keeper.browser
  }

  onHung(error: unknown): void {
    this.keeper.lastError = error
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
      renewTimeoutMs: RENEW_LIMIT_MS,
      closeTimeoutMs: CLOSE_LIMIT_MS,
    }
  }

  private machine() {
    const deeds: Parameters<typeof withDeeds<typeof sessionMachine>>[1] = {
      'browser.launch': () => this.keeper.launch(),
      'browser.close': () => this.closeBrowser(),
      'browser.kill': () => this.keeper.kill(),
      'session.login': () => {
        this.options.listener.onLaunched()
        return this.login()
      },
      'tabs.warm': () => this.keeper.tabs?.fill(),
      'tabs.drop': () => {
        this.hooks.abort()
        this.keeper.drop()
      },
      'session.report': ({ context }, params) => this.report(params.report, context),
      'event.unexpected': ({ event }) =>
        this.options.listener.onLog('error', `The session did not expect "${event.type}".`),
    }
    // Nobody but this process could mend it, and it is easily had anew.
    const failed = ({ port, error }: DeedFailure) => {
      const message = `${port} failed: the worker ends`
      this.options.listener.onDefect(
        new TroupeError('INVARIANT_VIOLATED', message, { cause: error }),
      )
    }
    const machine = withDeeds(sessionMachine, deeds, { failed: (_, failure) => failed(failure) })
    return this.options.stepped(machine)
  }

  private tell(event: SessionMachineEvent): void {
    this.actor.send(event)
    this.serve()
  }

  private serve(): void {
    while (this.waiting.length > 0 && this.maySeat()) {
      if (this.hooks.isCheckDue()) {
        this.check().catch((error: unknown) => this.options.listener.onDefect(error))
        return
      }
      const seat = this.keeper.tabs?.take()
      const request = seat ? this.waiting.shift() : undefined
      if (!seat || !request) return
      this.hooks.onTaskBegun()
      this.actor.send({ type: 'tab.taken' })
      request.onSeat(seat)
    }
  }

  private maySeat(): boolean {
    if (this.checking || (this.keeper.tabs?.warmCount ?? 0) === 0) return false
    const snapshot = this.actor.getSnapshot()
    const { working, policy } = snapshot.context
    return snapshot.hasTag('serving') && working < policy.concurrency
  }

  private closeBrowser(): Promise<void> {
    this.hooks.abort()
    return this.keeper.close(CLOSE_LIMIT_MS - KILL_MARGIN_MS)
  }

  private async login(): Promise<void> {
    const { stamp } = this.keeper
    try {
      await this.hooks.login()
    } catch (error) {
      if (stamp !== this.keeper.stamp) return
      this.keeper.lastError = error
      this.options.listener.onLog('warn', 'The login hook failed.', error)
      this.tell({ type: 'login.failed' })
      return
    }
    if (stamp !== this.keeper.stamp) return
    this.keeper.tabs?.refresh()
    this.options.listener.onLogin()
    this.tell({ type: 'login.succeeded' })
  }

  /** Nothing is seated meanwhile, so that no task starts without its login. */
  private async check(): Promise<void> {
    this.checking = true
    const { stamp } = this.keeper
    const isLoggedIn = await this.hooks.check()
    this.checking = false
    if (stamp !== this.keeper.stamp) return
    if (!isLoggedIn) this.tell({ type: 'session.expired' })
    else this.serve()
  }

  private borrow(): Promise<Seat> {
    const { tabs } = this.keeper
    if (tabs !== null) return tabs.borrow()
    return Promise.reject(new TroupeError('BROWSER_LOST', 'The browser is gone.'))
  }

  private report(report: SessionReport, { failure, permanent }: SessionMachineContext): void {
    const { listener } = this.options
    const { pid, lastError } = this.keeper
    if (report === 'ready') listener.onReady(pid)
    else if (report === 'lost') listener.onLost(pid ?? 0)
    else if (report === 'closed') listener.onClosed()
    else {
      listener.onFailed(sessionFailureFacts(failure, lastError), permanent)
      for (const request of this.waiting.splice(0)) request.onRefused(this.refusal())
    }
  }

  private refusal(): TroupeError {
    return new TroupeError('BROWSER_LOST', 'The session of this worker has failed.', {
      cause: this.keeper.lastError,
    })
  }
}
