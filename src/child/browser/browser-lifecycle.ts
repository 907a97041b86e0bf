/**
 * Keeps the one browser a session has: launches it, forgets it when it is gone, ends it. What happens to a browser that
 * has been replaced is recognised by its generation and has no effect. It decides nothing: it tells events.
 */
import type { SessionMachineEvent } from '../../../machines/session.setup.ts'
import { attemptAll, TroupeError } from '../../common/errors.ts'
import type { BrowserDriver, BrowserSpec, DrivenBrowser } from './browser-driver.ts'
import { isUnlaunchable } from './launch-errors.ts'
import { succeeds } from '../time-limit.ts'
import { TabSet } from './tab-set.ts'

interface BrowserPorts {
  send(event: SessionMachineEvent): void
  /** A tab became warm while others are still being renewed. */
  onTabWarm(): void
  onHung(error: unknown): void
}

export interface BrowserOptions {
  readonly spec: BrowserSpec
  readonly driver: Promise<BrowserDriver>
  readonly concurrency: number
}

export class BrowserLifecycle {
  /** Null until the first tab of a browser is open, and once the browser is lost. */
  tabs: TabSet | null = null
  browser: DrivenBrowser | null = null
  /** Of the last browser there was: by the time it is lost, it is no more. */
  pid: number | null = null
  lastError: unknown = null
  readonly #options: BrowserOptions
  readonly #ports: BrowserPorts
  #driver: BrowserDriver | null = null
  #generation = 0

  constructor(options: BrowserOptions, ports: BrowserPorts) {
    this.#options = options
    this.#ports = ports
  }

  /** Ends with `browser.launched` once the first tab is open, or with `browser.failed`. */
  async launch(): Promise<void> {
    this.#generation += 1
    const generation = this.#generation
    let browser: DrivenBrowser | null = null
    try {
      this.#driver = await this.#options.driver
      if (generation !== this.#generation) return
      browser = await this.#driver.launch(this.#options.spec)
      if (generation !== this.#generation) return browser.kill()
      const tabs = this.#tabSet(browser, generation)
      browser.onDisconnected(() => this.#disconnected(generation))
      this.browser = browser
      this.pid = browser.pid
      await tabs.openFirst()
      if (generation !== this.#generation) return
      this.tabs = tabs
      this.#ports.send({ type: 'browser.launched' })
    } catch (error) {
      if (generation !== this.#generation) return
      this.lastError = error
      browser?.kill()
      // One that has run once was there: the pool looks for it again before the next start.
      const permanent = this.pid === null && isUnlaunchable(error)
      this.#ports.send({ type: 'browser.failed', permanent })
    }
  }

  /** Forgets the browser and its tabs; who holds one is told. */
  drop(): void {
    const { tabs } = this
    this.tabs = null
    this.browser = null
    tabs?.drop()
  }

  kill(): void {
    this.#generation += 1
    const [error] = attemptAll([
      () => this.browser?.kill(),
      // A launch that has not ended yet has no browser to kill, but it may have a process.
      () => this.#driver?.killAll?.(),
    ])
    if (error !== undefined) throw error
  }

  /** Ends with `browser.closed`, if need be by force. */
  async close(limitMs: number): Promise<void> {
    this.#generation += 1
    const { browser } = this
    const isClosed = browser !== null && (await succeeds(limitMs, browser.close()))
    if (!isClosed) this.kill()
    this.#ports.send({ type: 'browser.closed' })
  }

  /** Whether an action begun at `generation` still concerns the browser at hand. */
  get stamp(): number {
    return this.#generation
  }

  #tabSet(browser: DrivenBrowser, generation: number): TabSet {
    const isFresh = this.#options.spec.isolation === 'context'
    // A tab that is never used twice must be made ahead; one that is reset is ready again in no time.
    const size = this.#options.concurrency + (isFresh ? 1 : 0)
    return new TabSet(browser, size, isFresh, {
      onWarm: (all) => {
        if (generation !== this.#generation) return
        if (all) this.#ports.send({ type: 'tabs.renewed' })
        else this.#ports.onTabWarm()
      },
      onHung: (error) => {
        if (generation === this.#generation) this.#ports.onHung(error)
      },
    })
  }

  #disconnected(generation: number): void {
    if (generation !== this.#generation) return
    if (this.tabs !== null) return this.#ports.send({ type: 'browser.disconnected' })
    // Before its first tab is open, that is a failed launch: openTab rejects later, or never answers.
    this.#generation += 1
    this.lastError = new TroupeError('BROWSER_LOST', 'the browser ended while it started')
    this.#ports.send({ type: 'browser.failed', permanent: false })
  }
}
