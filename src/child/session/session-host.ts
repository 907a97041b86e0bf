/**
 * The session machine at work: an actor of it, with every command carried out, and the attempts that wait for its tabs.
 * What comes back from the browser and the hooks is told to the machine; the machine alone decides what follows.
 */
import { type Actor, createActor } from 'xstate'
import { sessionMachine, type SessionReport } from '../../../machines/session.machine.ts'
import type {
  SessionMachineContext,
  SessionMachineEvent,
  SessionPolicy,
} from '../../../machines/session.setup.ts'
import type { SerializedError } from '../../../machines/protocol.ts'
import { TroupeError } from '../../common/errors.ts'
import type { Recorder } from '../../inspect/recorder.ts'
import { provideActions } from '../../common/provide-actions.ts'
import type { ActionFailure } from '../../common/port-failure.ts'
import type { SessionDefinition } from '../../task/session-definition.ts'
import type { EscalationPorts, DrivenBrowser } from '../browser/browser-driver.ts'
import { BrowserLifecycle, type BrowserOptions } from '../browser/browser-lifecycle.ts'
import type { ChildHost } from '../child-host.ts'
import { serializedSessionFailure } from '../browser/launch-errors.ts'
import { type HookPorts, SessionHooks } from './session-hooks.ts'
import type { TabLease } from '../browser/tab-set.ts'

export const LOGIN_LIMIT_MS = 60_000
export const CLOSE_LIMIT_MS = 10_000
/** The state `resetting` as a whole; one tab's reset has a limit of its own, far below. */
export const RENEW_LIMIT_MS = 20_000
export const RELAUNCH_LIMIT = 3
export const LOGIN_ATTEMPTS = 2
/** The keeper kills a browser that does not close a little before the machine would. */
const KILL_MARGIN_MS = 2_000

/** An attempt that asks for a tab. */
export interface TabRequest {
  onLease(lease: TabLease): void
  /** No tab will come: the session has failed. */
  onRefused(error: TroupeError): void
}

/** What the session tells the process it lives in. */
export interface SessionListener {
  /** The browser runs, and the login hook begins. */
  onLaunched(): void
  onReady(browserPid: number | null): void
  onLost(browserPid: number): void
  onFailed(error: SerializedError, permanent: boolean): void
  onClosed(): void
  onLogin(): void
  onLog(level: 'error' | 'warn', message: string, error?: unknown): void
  /** What it was to do threw, or its machine did: it is not to be relied on any more. */
  onDefect(error: unknown): void
}

export interface SessionHostOptions extends BrowserOptions {
  readonly definition: SessionDefinition
  readonly hooks: Omit<HookPorts, 'borrow' | 'giveBack'>
  readonly listener: SessionListener
  readonly stepped: ChildHost['stepped']
  /** Told of every step of the session. */
  readonly recorder?: Pick<Recorder, 'attach'> | null
}

export class SessionHost implements EscalationPorts {
  readonly hasLogin: boolean
  readonly #options: SessionHostOptions
  readonly #actor: Actor<typeof sessionMachine>
  readonly #hooks: SessionHooks
  readonly #waiting: TabRequest[] = []
  readonly #lifecycle: BrowserLifecycle
  #checking = false

  constructor(options: SessionHostOptions) {
    this.#options = options
    this.hasLogin = options.definition.login !== undefined
    this.#lifecycle = new BrowserLifecycle(options, {
      send: (event) => this.#send(event),
      onTabWarm: () => this.#serve(),
      onHung: (error) => this.onHung(error),
    })
    this.#hooks = new SessionHooks(options.definition, {
      ...options.hooks,
      borrow: () => this.#borrow(),
      giveBack: (lease) => this.#lifecycle.tabs?.giveBack(lease),
    })
    this.#actor = createActor(this.#machine(), { id: 'session', input: { policy: this.#policy() } })
    this.#actor.subscribe({ error: (error) => options.listener.onDefect(error) })
    options.recorder?.attach(this.#actor, 'session')
    this.#actor.start()
  }

  open(): void {
    this.#send({ type: 'open.ordered' })
  }

  close(): void {
    this.#send({ type: 'close.ordered' })
  }

  /** Ends at once and for good: nothing is told, nothing is launched again. */
  abandon(): void {
    this.#waiting.length = 0
    this.#hooks.abort()
    this.#actor.stop()
    this.#lifecycle.kill()
    this.#lifecycle.drop()
  }

  /** Gives the attempt a tab as soon as the session can. */
  request(request: TabRequest): void {
    if (this.#actor.getSnapshot().matches('failed')) return request.onRefused(this.#refusal())
    this.#waiting.push(request)
    this.#serve()
  }

  /** The attempt no longer wants its tab. */
  withdraw(request: TabRequest): void {
    const index = this.#waiting.indexOf(request)
    if (index >= 0) this.#waiting.splice(index, 1)
  }

  /** The attempt that held the place has ended. */
  release(lease: TabLease): void {
    const { tabs } = this.#lifecycle
    if (tabs === null || !tabs.holds(lease)) return
    this.#send({ type: 'tab.returned' })
    tabs.giveBack(lease)
  }

  /** A task has found that the login is gone. */
  expire(): void {
    this.#send({ type: 'session.expired' })
  }

  browser(): DrivenBrowser | null {
    return this.#lifecycle.browser
  }

  onHung(error: unknown): void {
    this.#lifecycle.lastError = error
    this.#options.listener.onLog('warn', 'The browser hangs; it is killed and started anew.', error)
    this.#send({ type: 'browser.hung' })
  }

  #policy(): SessionPolicy {
    return {
      concurrency: this.#options.concurrency,
      hasLogin: this.hasLogin,
      relaunchLimit: RELAUNCH_LIMIT,
      loginLimit: LOGIN_ATTEMPTS,
      launchTimeoutMs: this.#options.spec.launchTimeoutMs,
      loginTimeoutMs: LOGIN_LIMIT_MS,
      renewTimeoutMs: RENEW_LIMIT_MS,
      closeTimeoutMs: CLOSE_LIMIT_MS,
    }
  }

  #machine() {
    const actions: Parameters<typeof provideActions<typeof sessionMachine>>[1] = {
      'browser.launch': () => this.#lifecycle.launch(),
      'browser.close': () => this.#closeBrowser(),
      'browser.kill': () => this.#lifecycle.kill(),
      'session.login': () => {
        this.#options.listener.onLaunched()
        return this.#login()
      },
      'tabs.warm': () => this.#lifecycle.tabs?.fill(),
      'tabs.drop': () => {
        this.#hooks.abort()
        this.#lifecycle.drop()
      },
      'session.report': ({ context }, params) => this.#report(params.report, context),
      'event.unexpected': ({ event }) =>
        this.#options.listener.onLog('error', `The session did not expect "${event.type}".`),
    }
    // Nobody but this process could mend it, and it is easily had anew.
    const failed = ({ port, error }: ActionFailure) => {
      const message = `${port} failed: the worker ends`
      this.#options.listener.onDefect(
        new TroupeError('INVARIANT_VIOLATED', message, { cause: error }),
      )
    }
    const machine = provideActions(sessionMachine, actions, {
      failed: (_, failure) => failed(failure),
    })
    return this.#options.stepped(machine)
  }

  #send(event: SessionMachineEvent): void {
    this.#actor.send(event)
    this.#serve()
  }

  #serve(): void {
    while (this.#waiting.length > 0 && this.#mayLease()) {
      if (this.#hooks.isCheckDue()) {
        this.#check().catch((error: unknown) => this.#options.listener.onDefect(error))
        return
      }
      const lease = this.#lifecycle.tabs?.take()
      const request = lease ? this.#waiting.shift() : undefined
      if (!lease || !request) return
      this.#hooks.onTaskBegun()
      this.#actor.send({ type: 'tab.taken' })
      request.onLease(lease)
    }
  }

  #mayLease(): boolean {
    if (this.#checking || (this.#lifecycle.tabs?.warmCount ?? 0) === 0) return false
    const snapshot = this.#actor.getSnapshot()
    const { working, policy } = snapshot.context
    return snapshot.hasTag('serving') && working < policy.concurrency
  }

  #closeBrowser(): Promise<void> {
    this.#hooks.abort()
    return this.#lifecycle.close(CLOSE_LIMIT_MS - KILL_MARGIN_MS)
  }

  async #login(): Promise<void> {
    const { stamp } = this.#lifecycle
    try {
      await this.#hooks.login()
    } catch (error) {
      if (stamp !== this.#lifecycle.stamp) return
      this.#lifecycle.lastError = error
      this.#options.listener.onLog('warn', 'The login hook failed.', error)
      this.#send({ type: 'login.failed' })
      return
    }
    if (stamp !== this.#lifecycle.stamp) return
    this.#lifecycle.tabs?.refresh()
    this.#options.listener.onLogin()
    this.#send({ type: 'login.succeeded' })
  }

  /** Nothing is seated meanwhile, so that no task starts without its login. */
  async #check(): Promise<void> {
    this.#checking = true
    const { stamp } = this.#lifecycle
    const isLoggedIn = await this.#hooks.check()
    this.#checking = false
    if (stamp !== this.#lifecycle.stamp) return
    if (!isLoggedIn) this.#send({ type: 'session.expired' })
    else this.#serve()
  }

  #borrow(): Promise<TabLease> {
    const { tabs } = this.#lifecycle
    if (tabs !== null) return tabs.borrow()
    return Promise.reject(new TroupeError('BROWSER_LOST', 'the browser is gone'))
  }

  #report(report: SessionReport, { failure, permanent }: SessionMachineContext): void {
    const { listener } = this.#options
    const { pid, lastError } = this.#lifecycle
    if (report === 'ready') listener.onReady(pid)
    else if (report === 'lost') listener.onLost(pid ?? 0)
    else if (report === 'closed') listener.onClosed()
    else {
      listener.onFailed(serializedSessionFailure(failure, lastError), permanent)
      for (const request of this.#waiting.splice(0)) request.onRefused(this.#refusal())
    }
  }

  #refusal(): TroupeError {
    return new TroupeError('BROWSER_LOST', 'the session of this worker has failed', {
      cause: this.#lifecycle.lastError,
    })
  }
}
