/**
 * A worker process of a simulation: the real child code (`Child`, its task runner, its session) in a
 * process that has a pid, a pipe in each direction and a death, but no memory of its own. What it sends
 * before its death arrives; what its code does after its death is seen by nobody.
 */
import type { ExitStatus } from '../../../machines/protocol.ts'
import { Child } from '../../child/child.ts'
import type { ChildHost, ChildHostListener } from '../../child/child-host.ts'
import { parseFrame } from '../../process/ipc/frame.ts'
import type { WorkerInit, Frame, Order, Report } from '../../process/ipc/protocol.ts'
import type { WorkerHandle, WorkerProcessEvents } from '../../process/worker-handle.ts'
import type { VirtualBrowser } from './virtual-browser.ts'
import type { Scope, VirtualClock } from './virtual-clock.ts'

import { runIn } from './virtual-time.ts'
import type { FaultPlan } from './faults.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { LoadedTasks } from '../../child/task-file.ts'
import type { BrowserDriver } from '../../child/browser/browser-driver.ts'
import type { World } from '../../pool/host/world.ts'

/** A frame is on its way for so long. */
const PIPE_MS = { least: 0, most: 2 } as const
const MAX_LATE_MS = 2_000
const START_MS = { least: 20, most: 80 } as const
const SLOW_START = 20
const SLOW_DEATH_MS = 1_000
const RSS_BYTES = 60_000_000

type Life = 'living' | 'dying' | 'dead'

export class VirtualProcess implements WorkerHandle {
  readonly init: WorkerInit
  readonly pid: number
  readonly startedAtMs: number
  lastFrameAtMs = Number.POSITIVE_INFINITY
  browserPid: number | null = null
  profileFolder: string | null = null
  /** Of the code that runs in it. */
  readonly scope: Scope
  readonly browsers = new Set<VirtualBrowser>()
  life: Life = 'living'
  readonly #events: WorkerProcessEvents
  readonly #ports: ProcessPorts
  readonly #isStubborn: boolean
  #isHung = false
  /** Of the attempts it was told to run. */
  readonly tokens = new Set<number>()
  /** What it sent was not to be believed: nothing it sends is read any more. */
  #isUnread = false
  #listener: ChildHostListener | null = null
  #outbox: Order[] = []
  /** When the last frame in each direction arrives: a pipe keeps the order. */
  #upAtMs = 0
  #downAtMs = 0

  constructor(init: WorkerInit, events: WorkerProcessEvents, ports: ProcessPorts) {
    this.init = init
    this.#events = events
    this.#ports = ports
    this.pid = ports.nextPid()
    this.startedAtMs = ports.kernel.nowMs()
    this.scope = ports.clock.scope(`${init.slot}#${init.incarnation}`)
    this.scope.isEnclosed = true
    this.scope.enter = this.#enter.bind(this)
    this.#isStubborn = ports.faults.injects('stubborn')
    this.#start()
  }

  /** The pool that forked it is dead. */
  get isOrphan(): boolean {
    return this.#ports.pool.isOver
  }

  // What the pool does with it.

  owns(pid: number): boolean {
    return [...this.browsers].some((browser) => browser.pid === pid)
  }

  send(...orders: Order[]): void {
    if (this.#outbox.length === 0) this.#ports.pool.defer(() => this.#flush())
    this.#outbox.push(...orders)
  }

  sendNow(orders: readonly Order[]): void {
    this.#outbox.push(...orders)
    this.#flush()
  }

  terminate(): void {
    if (!this.#isStubborn && !this.#isHung) this.end({ code: null, signal: 'SIGTERM' })
  }

  kill(): void {
    const isSlow = this.life === 'living' && this.#ports.faults.injects('slowDeath')
    this.end({ code: null, signal: 'SIGKILL' }, isSlow ? SLOW_DEATH_MS : 1)
    if (this.browserPid !== null) this.#ports.killBrowser(this.browserPid)
  }

  exit(code: number): void {
    this.end({ code, signal: null })
  }

  /** It does nothing more, and nothing but SIGKILL reaches it. */
  hang(): void {
    this.#isHung = true
    this.scope.freeze()
  }

  /** The pool is gone: its ends of the pipes are closed. */
  orphan(): void {
    if (this.life === 'living') this.scope.defer(() => this.#listener?.onPoolGone())
  }

  /** Its code runs no further. The pool hears of it when all it had sent has arrived. */
  end(exit: ExitStatus, afterMs = 0): void {
    if (this.life !== 'living') return
    this.life = 'dying'
    this.#ports.moved()
    this.scope.end()
    const { kernel } = this.#ports
    kernel.after(Math.max(afterMs, this.#upAtMs - kernel.nowMs()), () => this.#reap(exit))
  }

  #reap(exit: ExitStatus): void {
    this.life = 'dead'
    this.#ports.moved()
    // As the real one does: what it left running goes before anybody hears of its end.
    if (this.browserPid !== null) this.#ports.killBrowser(this.browserPid)
    if (this.profileFolder !== null) this.#ports.killBrowsersOn(this.profileFolder)
    this.#ports.reaped(this)
    if (!this.#ports.pool.isOver) this.#events.exited(exit, null)
  }

  #start(): void {
    const { faults, random } = this.#ports
    const slowness = faults.injects('slowStart') ? SLOW_START : 1
    const startMs = random.int(START_MS.least, START_MS.most) * slowness
    if (faults.injects('failedStart')) {
      this.scope.after(startMs, () => this.exit(1))
    } else if (!faults.injects('hungStart')) {
      this.scope.after(startMs, () => new Child(this.init, this.#childHost()).start())
    }
  }

  /** The process as the code in it sees it. */
  #childHost(): ChildHost {
    return {
      send: (frame, written) => {
        this.#up(frame)
        this.scope.defer(written)
        return true
      },
      listen: (listener) => {
        this.#listener = listener
      },
      loadTasks: () => this.#ports.loadTasks(this),
      driverOf: () => Promise.resolve(this.#ports.driverOf(this)),
      rssBytes: () => RSS_BYTES,
      onOpened: () => {},
      exit: (code) => this.exit(code),
      stepped: this.#ports.stepped,
      die: () => this.end({ code: null, signal: 'SIGKILL' }),
    }
  }

  #flush(): void {
    if (this.#outbox.length === 0 || this.life !== 'living') return
    const items = this.#outbox
    this.#outbox = []
    const { faults, kernel } = this.#ports
    for (const item of items) if (item.kind === 'run') this.tokens.add(item.token)
    if (faults.injects('lostOrder')) return
    let frame: Frame<Order>
    try {
      frame = this.#ports.carry({ incarnation: this.init.incarnation, items })
    } catch (error) {
      return this.#events.unreachable(error)
    }
    this.#downAtMs = Math.max(this.#downAtMs, kernel.nowMs() + this.#pipeMs())
    this.scope.after(this.#downAtMs - kernel.nowMs(), () => this.#receive(frame))
  }

  #receive(frame: Frame<Order>): void {
    const isClosing = frame.items.some(({ kind }) => kind === 'close')
    if (isClosing && this.#isStubborn) return
    this.#listener?.onFrame(frame)
  }

  #up(sent: Frame<Report>): void {
    const { faults, random, kernel } = this.#ports
    if (this.life !== 'living' || faults.injects('lostFrame')) return
    const lateMs = faults.injects('lateFrame') ? random.int(1, MAX_LATE_MS) : 0
    this.#upAtMs = Math.max(this.#upAtMs, kernel.nowMs() + this.#pipeMs() + lateMs)
    const frame = this.#ports.carry(sent)
    const isForged = faults.injects('frameForged')
    const garbled = faults.injects('garbledFrame') ? { garbled: frame } : frame
    const message = isForged ? this.#ports.forge(frame, this) : garbled
    const times = faults.injects('doubleFrame') ? 2 : 1
    for (let time = 0; time < times; time++) {
      kernel.after(this.#upAtMs - kernel.nowMs(), () => this.#arrive(message))
    }
  }

  #arrive(message: unknown): void {
    if (this.life === 'dead' || this.#ports.pool.isOver || this.#isUnread) return
    this.lastFrameAtMs = this.#ports.kernel.nowMs()
    let frame: Frame<Report>
    try {
      frame = parseFrame(message, this.init.incarnation)
    } catch (error) {
      this.#isUnread = true
      return this.#events.violated(error)
    }
    this.#events.reports(frame.items)
  }

  #pipeMs(): number {
    return this.#ports.random.int(PIPE_MS.least, PIPE_MS.most)
  }

  /** An exception that nobody caught ends a process, not a simulation. */
  #enter(code: () => void): void {
    try {
      runIn(this.scope, code)
    } catch (error) {
      if (this.#listener === null) throw error
      this.#listener.onDefect(error)
    }
  }
}

/** What a virtual process has from its machine. */
export interface ProcessPorts {
  readonly clock: VirtualClock
  /** What happens between processes: pipes, deaths. */
  readonly kernel: Scope
  /** Of the pool that has forked it. */
  readonly pool: Scope
  readonly faults: FaultPlan
  readonly random: SeededRandom
  nextPid(): number
  /** A frame as it comes out at the other end of the pipe. */
  carry<T>(frame: T): T
  /** What a process sends in place of a frame when it is up to no good. */
  forge(frame: Frame<Report>, process: VirtualProcess): unknown
  loadTasks(process: VirtualProcess): Promise<LoadedTasks>
  driverOf(process: VirtualProcess): BrowserDriver
  killBrowser(pid: number): void
  killBrowsersOn(profileFolder: string): void
  /** A process has begun to die, or is dead. */
  moved(): void
  reaped(process: VirtualProcess): void
  stepped: World['stepped']
}
