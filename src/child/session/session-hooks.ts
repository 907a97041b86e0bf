/**
 * The user's login and check hooks: when they are due, on which tab they run, and within which limit. A hook gets a tab
 * of the session like any task; it never runs twice at a time, for only the session machine starts it.
 */
import type { SessionContext, SessionDefinition } from '../../task/session-definition.ts'
import { TroupeError } from '../../common/errors.ts'
import { within } from '../time-limit.ts'
import type { SessionMemory } from './session-memory.ts'
import type { TabLease } from '../browser/tab-set.ts'

const DEFAULT_CHECK_EVERY_MS = 60_000
const CHECK_LIMIT_MS = 30_000

export interface HookPorts {
  readonly memory: SessionMemory
  log(message: string, fields?: Readonly<Record<string, unknown>>): void
  onCheckFailed(error: unknown): void
  borrow(): Promise<TabLease>
  giveBack(lease: TabLease): void
}

export class SessionHooks {
  readonly #definition: SessionDefinition
  readonly #ports: HookPorts
  /** On the clock of `performance.now()`. */
  #checkedMs = 0
  /** True from a check or a login until the next task has begun: with `checkEvery: 0` one is due at any time. */
  #isFresh = false
  #controller: AbortController | null = null

  constructor(definition: SessionDefinition, ports: HookPorts) {
    this.#definition = definition
    this.#ports = ports
  }

  isCheckDue(): boolean {
    if (!this.#definition.check || this.#isFresh) return false
    const every = this.#definition.checkEvery ?? DEFAULT_CHECK_EVERY_MS
    return performance.now() - this.#checkedMs >= every
  }

  /** A task begins: what was checked before it says nothing about the one after it. */
  onTaskBegun(): void {
    this.#isFresh = false
  }

  /** Rejects when the hook does, or when no tab is to be had. The machine keeps the limit. */
  async login(): Promise<void> {
    await this.#onTab(async (context, lease) => {
      await this.#definition.login?.(context)
      await lease.tab.share?.()
    })
    this.#ports.memory.logins += 1
    this.#noteChecked()
  }

  /** False when the session is known to be logged out. A check that fails itself says nothing. */
  async check(): Promise<boolean> {
    let isLoggedIn = true
    try {
      const check = this.#onTab(async (context) => this.#definition.check?.(context))
      isLoggedIn = (await within(CHECK_LIMIT_MS, 'The check hook', check)) !== false
    } catch (error) {
      this.abort()
      this.#ports.onCheckFailed(error)
    }
    this.#noteChecked()
    return isLoggedIn
  }

  /** Tells a hook under way to stop. */
  abort(): void {
    this.#controller?.abort(new TroupeError('BROWSER_LOST', 'the browser of the hook is gone'))
    this.#controller = null
  }

  #noteChecked(): void {
    this.#checkedMs = performance.now()
    this.#isFresh = true
  }

  async #onTab<T>(run: (context: SessionContext, lease: TabLease) => Promise<T>): Promise<T> {
    const lease = await this.#ports.borrow()
    const controller = new AbortController()
    this.#controller = controller
    const lost = new Promise<never>((_resolve, reject) => {
      lease.onLost = refusing(reject)
    })
    const context: SessionContext = {
      page: lease.tab.page,
      session: this.#ports.memory,
      signal: controller.signal,
      log: (message, fields) => this.#ports.log(message, fields),
    }
    try {
      return await Promise.race([run(context, lease), lost])
    } finally {
      if (this.#controller === controller) this.#controller = null
      this.#ports.giveBack(lease)
    }
  }
}

function refusing(reject: (error: TroupeError) => void): () => void {
  return () => reject(new TroupeError('BROWSER_LOST', 'the tab of the hook was lost'))
}
