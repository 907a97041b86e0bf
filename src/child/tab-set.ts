/**
 * The tabs of one launched browser: which are warm, which are taken, which are being renewed. A tab is reset and used
 * again where that is clean (isolation `session`), or replaced by a fresh one, opened ahead (isolation `context`). A
 * lost browser's set is dropped whole, so nothing of it can be mistaken for the next one's.
 */
import type { DrivenBrowser, DrivenTab } from './browser-driver.ts'
import { outcomeOf, succeeds, within } from './limit.ts'

export const OPEN_LIMIT_MS = 10_000
export const RESET_LIMIT_MS = 2_000
export const CLOSE_TAB_LIMIT_MS = 5_000
export const PROBE_LIMIT_MS = 2_000
/** So many tabs that could not be closed, and the browser counts as hung. */
export const MAX_STUCK_TABS = 3

/** A tab with its place in the set. */
export class Seat {
  readonly tab: DrivenTab
  /** Crashed or closed: it is not reset but replaced. */
  dead = false
  /** How many logins there had been when it was opened. */
  readonly epoch: number
  /** Called once when the tab or its browser is gone while the seat is taken. */
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

export interface TabSetListener {
  /** A tab became warm. `all`: no other is being renewed. */
  onWarm(all: boolean): void
  /** Tabs can't be opened or closed any more. */
  onHung(error: unknown): void
}

export class TabSet {
  private readonly browser: DrivenBrowser
  private readonly size: number
  private readonly isFresh: boolean
  private readonly listener: TabSetListener
  private readonly taken = new Set<Seat>()
  private warm: Seat[] = []
  private renewing = 0
  private stuck = 0
  private epoch = 0
  private dropped = false
  /** Resolves with whether the browser was too slow about it. */
  private tidying: Promise<boolean> | null = null

  /** `size`: tabs to hold. `isFresh`: a tab is never used twice. */
  constructor(browser: DrivenBrowser, size: number, isFresh: boolean, listener: TabSetListener) {
    this.browser = browser
    this.size = size
    this.isFresh = isFresh
    this.listener = listener
  }

  /** None while what the last tasks left is being cleared away: nobody may meet it. */
  get warmCount(): number {
    return this.tidying === null ? this.warm.length : 0
  }

  /** Opens the first tab. Rejects when none can be opened. */
  async openFirst(): Promise<void> {
    this.warm.push(await this.open())
  }

  /** Opens the others, one after the other, while the first may already work. */
  fill(): void {
    const missing = this.size - this.warm.length - this.taken.size - this.renewing
    if (missing <= 0 || this.dropped) return
    void this.bring(() => this.open()).then(() => this.fill())
  }

  take(): Seat | null {
    if (this.tidying !== null) return null
    const seat = this.warm.shift() ?? null
    if (seat !== null) this.taken.add(seat)
    return seat
  }

  /** A warm tab, opened now if there is none. For hooks. */
  async borrow(): Promise<Seat> {
    await this.tidying
    const warm = this.take()
    if (warm !== null) return warm
    const seat = await this.open()
    this.taken.add(seat)
    return seat
  }

  holds(seat: Seat): boolean {
    return this.taken.has(seat)
  }

  giveBack(seat: Seat): void {
    seat.onLost = null
    if (!this.taken.delete(seat) || this.dropped) return
    this.tidy()
    if (this.warm.length + this.taken.size + this.renewing >= this.size) {
      this.discard(seat)
      this.listener.onWarm(this.renewing === 0)
      return
    }
    void this.bring(() => this.renew(seat))
  }

  /** After a login: tabs that are never used twice, and were opened before it, do not know of it. */
  refresh(): void {
    this.epoch += 1
    if (!this.isFresh) return
    for (const seat of this.warm.splice(0)) void this.bring(() => this.renew(seat))
  }

  /** Forgets all; whoever holds a seat is told that it is lost. */
  drop(): void {
    if (this.dropped) return
    this.dropped = true
    this.warm = []
    for (const seat of this.taken) seat.lose()
    this.taken.clear()
  }

  private async bring(make: () => Promise<Seat>): Promise<void> {
    this.renewing += 1
    let seat: Seat
    try {
      seat = await make()
      // A login has ended while it was opened.
      while (this.isFresh && seat.epoch !== this.epoch && !this.dropped)
        seat = await this.renew(seat)
    } catch (error) {
      this.renewing -= 1
      if (!this.dropped) this.listener.onHung(error)
      return
    }
    this.renewing -= 1
    if (this.dropped) return
    this.warm.push(seat)
    this.listener.onWarm(this.renewing === 0)
  }

  /** Once nobody works: what is open beside our tabs was left behind. */
  private tidy(): void {
    if (this.taken.size > 0 || this.tidying !== null) return
    const tidied = this.browser.tidy?.()
    if (tidied === undefined) return
    this.tidying = outcomeOf(RESET_LIMIT_MS, tidied).then((outcome) => {
      this.tidying = null
      if (!this.dropped && this.warm.length > 0) this.listener.onWarm(this.renewing === 0)
      return outcome === 'late'
    })
  }

  private async renew(seat: Seat): Promise<Seat> {
    const mayReset = !seat.dead && !this.isFresh
    const reset = mayReset ? await outcomeOf(RESET_LIMIT_MS, seat.tab.reset()) : 'rejected'
    const isSlow = await this.tidying
    if (reset === 'resolved' && !seat.dead) return seat
    this.discard(seat)
    // Was it the page that hangs, or the browser? A tab would take much longer to tell.
    if (reset === 'late' || isSlow === true)
      await within(PROBE_LIMIT_MS, 'The probe', this.browser.probe())
    return this.open()
  }

  private async open(): Promise<Seat> {
    const { epoch } = this
    const tab = await within(OPEN_LIMIT_MS, 'Opening a tab', this.browser.openTab())
    const seat = new Seat(tab, epoch)
    tab.onCrashed(() => this.crashed(seat))
    return seat
  }

  private crashed(seat: Seat): void {
    seat.lose()
    const index = this.warm.indexOf(seat)
    if (index < 0 || this.dropped) return
    this.warm.splice(index, 1)
    void this.bring(() => this.renew(seat))
  }

  private discard(seat: Seat): void {
    void succeeds(CLOSE_TAB_LIMIT_MS, seat.tab.close()).then((closed) => {
      if (closed || this.dropped) return
      this.stuck += 1
      if (this.stuck < MAX_STUCK_TABS) return
      this.listener.onHung(new Error(`${this.stuck} tabs could not be closed.`))
    })
  }
}
