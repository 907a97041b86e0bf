/**
 * A machine that is not there: processes, browsers, a disk, memory and a host, all in virtual time and
 * with drawn faults. A pool runs on it as on a real one, through its world; who tests the pool sees
 * here what is really so, whatever the pool believes.
 */
import type { BrowserDriver } from '../../child/browser/browser-driver.ts'
import type { LoadedTasks } from '../../child/task-file.ts'
import { MemoryDisk, MemoryStore } from '../../ledger/store/memory.ts'
import type { HostListener } from '../../pool/host/host-process.ts'
import type { World } from '../../pool/host/world.ts'
import type { FaultPlan } from './faults.ts'
import { type Forge, forgedFrame } from '../forged-frames.ts'
import type { SeededRandom } from './seeded-random.ts'
import { type PageMaker, type VirtualBrowser, virtualDriver } from './virtual-browser.ts'
import type { Scope, VirtualClock } from './virtual-clock.ts'
import { VirtualProcess, type ProcessPorts } from './virtual-process.ts'
import { VirtualReadings } from './virtual-readings.ts'
import { VirtualRun } from './virtual-run.ts'
import { tabled } from '../../statechart/tabled-machine.ts'
import { virtualWallMs } from './virtual-time.ts'

const LAUNCH_MS = { least: 30, most: 120 } as const
const PROCESSORS = 2
/** Between two tokens: the drawn lots of a life do not depend on how many it needs. */
const TOKEN_STEP = 7_919

interface MachineOptions {
  readonly clock: VirtualClock
  readonly random: SeededRandom
  readonly faults: FaultPlan
  /** The task file, as the child code would load it. */
  readonly loadTasks: (process: VirtualProcess) => Promise<LoadedTasks>
  readonly page: PageMaker
  /** True: frames are copied, as real pipes do it. */
  readonly isCopying: boolean
  /** ms between readings of the machine; default: as often as the pool asks for. */
  readonly readingEveryMs?: number
  /** What `frameForged` makes of a frame. Default: what no worker sends. */
  readonly forge?: Forge
  /** False: the pool's machines take their steps as XState does it. Default true. */
  readonly isTabled?: boolean
}

/** What is on the machine. */
export interface Leftovers {
  readonly processes: readonly string[]
  readonly browsers: number
  readonly profiles: number
  readonly runFolders: number
  readonly guardians: number
  /** Timers that the pool has set. */
  readonly timers: number
  readonly listeners: number
  readonly monitors: number
}

export class VirtualMachine {
  readonly clock: VirtualClock
  readonly kernel: Scope
  readonly processes = new Set<VirtualProcess>()
  readonly browsers = new Map<number, VirtualBrowser>()
  readonly runs: VirtualRun[] = []
  readonly listener = new Set<HostListener>()
  readonly options: MachineOptions
  monitors = 0
  /** Counts whatever becomes of processes: as long as it stands, they stand as they did. */
  motion = 0
  readonly #readings: VirtualReadings
  #pid = 100
  #ids = 0
  #tokens = 0
  /** What a store has written outlives its pool. */
  readonly #disk = new MemoryDisk()
  readonly #stepped: World['stepped']
  /** Of the pool that lives on it now. */
  #pool: Scope

  constructor(options: MachineOptions) {
    this.options = options
    this.clock = options.clock
    this.kernel = options.clock.scope('kernel')
    this.#readings = new VirtualReadings(this.kernel, options.faults)
    this.#pool = options.clock.scope('pool')
    this.#stepped = options.isTabled === false ? (machine) => machine : tabled
  }

  /** The world of a pool that begins to live here. */
  world(): World {
    const { clock, random, readingEveryMs: everyMs } = this.options
    const readings = this.#readings
    const pool = clock.scope('pool')
    this.#pool = pool
    return {
      stepped: this.#stepped,
      around: (actor, port, action) => this.#around(`${actor}: ${port}`, action),
      clock: pool,
      machineClock: pool,
      waitClock: pool,
      host: { listen: (listener) => this.#listen(listener) },
      processors: PROCESSORS,
      random: random.fraction,
      newToken: () => ++this.#tokens * TOKEN_STEP,
      newId: () => `task-${++this.#ids}`,
      wallMs: () => virtualWallMs(pool),
      fork: (init, events) => {
        this.#cleanUp()
        const process = new VirtualProcess(init, events, this.#portsOf(pool))
        this.processes.add(process)
        this.motion++
        return process
      },
      openRun: () => this.#openRun(pool),
      openStore: () =>
        new MemoryStore(
          { nowMs: () => pool.nowMs(), wallMs: () => virtualWallMs(pool) },
          this.#disk,
        ),
      createMonitor: ({ intervalMs, pids, onReading }) => {
        this.monitors++
        const timer = pool.setInterval(() => {
          this.#cleanUp()
          const reading = readings.take(pids())
          if (reading !== null) onReading(reading)
        }, everyMs ?? intervalMs)
        return {
          stop: () => {
            if (timer.isSet) this.monitors--
            pool.clearTimeout(timer)
          },
        }
      },
    }
  }

  /** The host process of the pool dies, as by SIGKILL: what is left is its guardian's. */
  killPool(): void {
    this.#pool.end()
    this.listener.clear()
    this.monitors = 0
    this.motion++
    for (const process of this.processes) process.orphan()
    const left = [...this.runs]
    this.kernel.after(500, () => {
      for (const run of left) {
        if (!run.isGuarded) continue
        for (const process of this.processes) {
          if (run.watched.has(process.pid)) process.end({ code: null, signal: 'SIGKILL' })
        }
        for (const pid of run.watched) this.killBrowser(pid)
        this.killBrowsersOn(run.folder.path)
        run.remove()
        run.isGuarded = false
      }
    })
  }

  /** A signal to the host process. */
  signal(signal: NodeJS.Signals): void {
    for (const listener of this.listener) listener.onSignal(signal)
  }

  /** Processes and browsers there have ever been. */
  get pids(): number {
    return this.#pid
  }

  leftovers(): Leftovers {
    return {
      processes: [...this.processes].map(({ scope }) => scope.name),
      browsers: this.browsers.size,
      profiles: this.runs.reduce((sum, run) => sum + run.profilesHeld.size, 0),
      runFolders: this.runs.filter((run) => run.isOnDisk).length,
      guardians: this.runs.filter((run) => run.isGuarded).length,
      timers: this.#pool.timers,
      listeners: this.listener.size,
      monitors: this.monitors,
    }
  }

  killBrowser(pid: number): void {
    this.browsers.get(pid)?.kill()
  }

  killBrowsersOn(folder: string): void {
    for (const browser of this.browsers.values()) {
      if (browser.profileFolder.startsWith(folder)) browser.kill()
    }
  }

  #openRun(pool: Scope): Promise<VirtualRun> {
    const { faults } = this.options
    return new Promise((resolve, reject) => {
      pool.after(1, () => {
        if (faults.injects('diskFull')) return reject(new Error('ENOSPC: no space left on device'))
        const path = `/simulated/run-${this.runs.length + 1}`
        const run = new VirtualRun(path, { kernel: this.kernel, faults })
        this.runs.push(run)
        resolve(run)
      })
    })
  }

  /** As a cleaner of temporary folders does it, whenever that is. */
  #cleanUp(): void {
    for (const run of this.runs) run.mayVanish()
  }

  #around(port: string, action: () => unknown): unknown {
    const { faults, random } = this.options
    if (!faults.injects('portThrows', { port })) return action()
    if (random.chance(0.5)) action()
    throw new Error(`the simulation lets ${port} throw`)
  }

  #holds(profile: string): boolean {
    return this.runs.some((run) => run.profilesHeld.has(profile))
  }

  #listen(listener: HostListener) {
    this.listener.add(listener)
    return { keepAlive: () => {}, release: () => void this.listener.delete(listener) }
  }

  #portsOf(pool: Scope): ProcessPorts {
    const { clock, random, faults, loadTasks, isCopying, forge } = this.options
    return {
      clock,
      kernel: this.kernel,
      pool,
      faults,
      random,
      nextPid: () => ++this.#pid,
      carry: (frame) => (isCopying ? structuredClone(frame) : frame),
      forge: (frame, { init, tokens }) =>
        (forge ?? forgedFrame)(frame, this.#foreignToken(tokens), random, init.slot),
      loadTasks,
      driverOf: (process) => this.#driverOf(process),
      stepped: this.#stepped,
      killBrowser: (pid) => this.killBrowser(pid),
      killBrowsersOn: (folder) => this.killBrowsersOn(folder),
      moved: () => void this.motion++,
      reaped: (process) => {
        this.processes.delete(process)
        this.#readings.forget(process.pid)
      },
    }
  }

  /** Of an attempt of another process, wherever there is one. */
  #foreignToken(own: ReadonlySet<number>): number {
    const token = this.options.random.int(1, this.#tokens + 1) * TOKEN_STEP
    return own.has(token) ? (this.#tokens + 1) * TOKEN_STEP : token
  }

  #driverOf(process: VirtualProcess): BrowserDriver {
    const { random, faults, page } = this.options
    return virtualDriver({
      scope: process.scope,
      page,
      isLiving: () => process.life === 'living',
      nextPid: () => ++this.#pid,
      launchMs: () => random.int(LAUNCH_MS.least, LAUNCH_MS.most),
      launchFails: (profile) => faults.injects('failedLaunch') || !this.#holds(profile),
      born: (browser) => {
        this.browsers.set(browser.pid, browser)
        process.browsers.add(browser)
      },
      gone: (browser) => {
        this.browsers.delete(browser.pid)
        process.browsers.delete(browser)
      },
    })
  }
}
