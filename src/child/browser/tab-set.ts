/**
 * The tabs of one launched browser: which are warm, which are taken, which are being renewed. A tab is reset and used
 * again where that is clean (isolation `session`), or replaced by a fresh one, opened ahead (isolation `context`). A
 * lost browser's set is dropped whole, so nothing of it can be mistaken for the next one's.
 */
import type { DrivenBrowser, DrivenTab } from './browser-driver.ts'
import { outcomeOf, succeeds, within } from '../time-limit.ts'

export const OPEN_LIMIT_MS = 10_000
const RESET_LIMIT_MS = 2_000
const CLOSE_TAB_LIMIT_MS = 5_000
export const PROBE_LIMIT_MS = 2_000
/** So many tabs that could not be closed, and the browser counts as hung. */
const MAX_STUCK_TABS = 3

/** A tab with its place in the set. */
export class TabLease {
  readonly tab: DrivenTab
  /** Crashed or closed: it is not reset but replaced. */
  dead = false
  /** How many logins there had been when it was opened. */
  readonly epoch: number
  /** Called once when the tab or its browser is gone while the place is taken. */
  onLost: (() => void) | null = null

  constructor(tab: DrivenTab, epoch: number) {
    this.tab = tab
    this.epoch = epoch
  }

  lose(): void {
    this.dead = true
    const listener = this.onLost
    this.onLost = null
    listener?.()
  }
}

interface TabSetListener {
  /** A tab became warm. `all`: no other is being renewed. */
  onWarm(all: boolean): void
  /** Tabs can't be opened or closed any more. */
  onHung(error: unknown): void
}

export class TabSet {
  readonly #browser: DrivenBrowser
  readonly #size: number
  readonly #isFresh: boolean
  readonly #listener: TabSetListener
  readonly #taken = new Set<TabLease>()
  #warm: TabLease[] = []
  #renewing = 0
  #stuck = 0
  #epoch = 0
  #dropped = false
  /** Resolves with whether the browser was too slow about it. */
  #tidying: Promise<boolean> | null = null

  /** `size`: tabs to hold. `isFresh`: a tab is never used twice. */
  constructor(browser: DrivenBrowser, size: number, isFresh: boolean, listener: TabSetListener) {
    this.#browser = browser
    this.#size = size
    this.#isFresh = isFresh
    this.#listener = listener
  }

  /** None while what the last tasks left is being cleared away: nobody may meet it. */
  get warmCount(): number {
    return this.#tidying === null ? this.#warm.length : 0
  }

  /** Opens the first tab. Rejects when none can be opened. */
  async openFirst(): Promise<void> {
    this.#warm.push(await this.#open())
  }

  /** Opens the others, one after the other, while the first may already work. */
  fill(): void {
    const missing = this.#size - this.#warm.length - this.#taken.size - this.#renewing
    if (missing <= 0 || this.#dropped) return
    void this.#bring(() => this.#open()).then(() => this.fill())
  }

  take(): TabLease | null {
    if (this.#tidying !== null) return null
    const lease = this.#warm.shift() ?? null
    if (lease !== null) this.#taken.add(lease)
    return lease
  }

  /** A warm tab, opened now if there is none. For hooks. */
  async borrow(): Promise<TabLease> {
    await this.#tidying
    const warm = this.take()
    if (warm !== null) return warm
    const lease = await this.#open()
    this.#taken.add(lease)
    return lease
  }

  holds(lease: TabLease): boolean {
    return this.#taken.has(lease)
  }

  giveBack(lease: TabLease): void {
    lease.onLost = null
    if (!this.#taken.delete(lease) || this.#dropped) return
    this.#tidy()
    if (this.#warm.length + this.#taken.size + this.#renewing >= this.#size) {
      this.#discard(lease)
      this.#listener.onWarm(this.#renewing === 0)
      return
    }
    void this.#bring(() => this.#renew(lease))
  }

  /** After a login: tabs that are never used twice, and were opened before it, do not know of it. */
  refresh(): void {
    this.#epoch += 1
    if (!this.#isFresh) return
    for (const lease of this.#warm.splice(0)) void this.#bring(() => this.#renew(lease))
  }

  /** Forgets all; whoever holds a place is told that it is lost. */
  drop(): void {
    if (this.#dropped) return
    this.#dropped = true
    this.#warm = []
    for (const lease of this.#taken) lease.lose()
    this.#taken.clear()
  }

  async #bring(make: () => Promise<TabLease>): Promise<void> {
    this.#renewing += 1
    let lease: TabLease
    try {
      lease = await make()
      // A login has ended while it was opened.
      while (this.#isFresh && lease.epoch !== this.#epoch && !this.#dropped)
        lease = await this.#renew(lease)
    } catch (error) {
      this.#renewing -= 1
      if (!this.#dropped) this.#listener.onHung(error)
      return
    }
    this.#renewing -= 1
    if (this.#dropped) return
    this.#warm.push(lease)
    this.#listener.onWarm(this.#renewing === 0)
  }

  /** Once nobody works: what is open beside our tabs was left behind. */
  #tidy(): void {
    if (this.#taken.size > 0 || this.#tidying !== null) return
    const tidied = this.#browser.tidy?.()
    if (tidied === undefined) return
    this.#tidying = outcomeOf(RESET_LIMIT_MS, tidied).then((outcome) => {
      this.#tidying = null
      if (!this.#dropped && this.#warm.length > 0) this.#listener.onWarm(this.#renewing === 0)
      return outcome === 'late'
    })
  }

  async #renew(lease: TabLease): Promise<TabLease> {
    const mayReset = !lease.dead && !this.#isFresh
    const reset = mayReset ? await outcomeOf(RESET_LIMIT_MS, lease.tab.reset()) : 'rejected'
    const isSlow = await this.#tidying
    if (reset === 'resolved' && !lease.dead) return lease
    this.#discard(lease)
    // Was it the page that hangs, or the browser? A tab would take much longer to tell.
    if (reset === 'late' || isSlow === true)
      await within(PROBE_LIMIT_MS, 'The probe', this.#browser.probe())
    return this.#open()
  }

  async #open(): Promise<TabLease> {
    const epoch = this.#epoch
    const tab = await within(OPEN_LIMIT_MS, 'Opening a tab', this.#browser.openTab())
    const lease = new TabLease(tab, epoch)
    tab.onCrashed(() => this.#crashed(lease))
    return lease
  }

  #crashed(lease: TabLease): void {
    lease.lose()
    const index = this.#warm.indexOf(lease)
    if (index < 0 || this.#dropped) return
    this.#warm.splice(index, 1)
    void this.#bring(() => this.#renew(lease))
  }

  #discard(lease: TabLease): void {
    void succeeds(CLOSE_TAB_LIMIT_MS, lease.tab.close()).then((closed) => {
      if (closed || this.#dropped) return
      this.#stuck += 1
      if (this.#stuck < MAX_STUCK_TABS) return
      this.#listener.onHung(new Error(`${this.#stuck} tabs could not be closed`))
    })
  }
}
