/**
 * A year of one pool's operation in virtual time: tasks by day and night, a fault now and then, a
 * restart every month. At its end nothing may have been lost, and nothing may have piled up.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { SeededRandom } from '../../src/testing/simulation/seeded-random.ts'
import {
  configFor,
  prepareSimulation,
  Simulation,
} from '../../src/testing/simulation/simulation.ts'
import { violationOfLeftovers } from '../../src/testing/truth-rules.ts'
import { inside, realNowMs, useVirtualTime } from '../../src/testing/simulation/virtual-time.ts'
import { handlers } from './schedule-handlers.ts'
import { Oracle } from './schedule-oracle.ts'

const DAY_MS = 86_400_000
const DAYS = 365
const RESTART_EVERY_DAYS = 30
/** Tasks of one visit, and ms between two visits at most. */
const TASKS = { least: 1, most: 20 } as const
const PAUSE_MS = { least: 60_000, most: 4 * 3_600_000 } as const
/** Every two seconds, as a pool asks for it, would be all that the year consists of. */
const READING_EVERY_MS = 60_000
/** The invariants are looked at once in so many calls. */
const CHECK_EVERY = 16
const NAMES = ['quick', 'slow', 'deaf', 'flaky', 'permanent', 'retiring', 'page'] as const
const FAULTS = {
  crash: 0.01,
  exitDuringTask: 0.002,
  hang: 0.003,
  hungTask: 0.002,
  browserLost: 0.02,
  failedLaunch: 0.02,
  slowStart: 0.05,
  failedStart: 0.02,
  hungStart: 0.005,
  lostFrame: 0.0001,
  memoryPressure: 0.000_01,
  stubborn: 0.01,
} as const

interface YearReport {
  readonly seed: number
  readonly days: number
  readonly tasks: number
  readonly succeeded: number
  readonly failed: number
  readonly processes: number
  readonly events: number
  readonly seconds: number
  readonly violations: readonly string[]
  /** Of this very process, before and after, in MB. */
  readonly heapMb: { readonly before: number; readonly after: number }
}

export async function simulateYear(seed: number, days = DAYS): Promise<YearReport> {
  await prepareSimulation()
  const giveTimeBack = useVirtualTime()
  try {
    return await new Year(seed, days).simulateSchedule()
  } finally {
    giveTimeBack()
  }
}

class Year {
  readonly #seed: number
  readonly #days: number
  readonly #oracle = new Oracle()
  readonly #random: SeededRandom
  readonly #simulation: Simulation
  #tasks = 0
  #succeeded = 0
  #failed = 0
  #isOver = false

  constructor(seed: number, days: number) {
    this.#seed = seed
    this.#days = days
    this.#random = new SeededRandom(seed)
    this.#simulation = new Simulation({
      seed,
      faults: FAULTS,
      config: configFor({
        workers: 2,
        maxTasksPerWorker: 100,
        maxWorkerAge: DAY_MS,
        heartbeatInterval: 60_000,
        zombieAfter: 300_000,
        task: { attempts: 3, timeout: 60_000 },
        logger: this.#oracle,
      }),
      tasks: handlers(true),
      isCopying: false,
      readingEveryMs: READING_EVERY_MS,
    })
    this.#oracle.attend(this.#simulation, true)
  }

  async simulateSchedule(): Promise<YearReport> {
    const before = heapMb()
    const begunMs = realNowMs()
    const { user, clock, machine } = this.#simulation
    user.enter = inside(user)
    const pool = this.#simulation.createPool()
    this.#oracle.listen(pool)
    pool.on('task.succeeded', () => this.#succeeded++)
    pool.on('task.failed', () => this.#failed++)
    user.after(0, () => void this.#operate(pool))
    const limitMs = (this.#days + 1) * DAY_MS
    const isEnded = await this.#simulation.runUntil(() => {
      if (clock.calls % CHECK_EVERY === 0) this.#oracle.check()
      return this.#isOver || this.#oracle.violations.length > 0
    }, limitMs)
    if (!isEnded) this.#oracle.report('the year does not end')
    const left = violationOfLeftovers(machine.leftovers())
    if (left !== null && isEnded) this.#oracle.report(left)
    return {
      seed: this.#seed,
      days: clock.nowMs() / DAY_MS,
      tasks: this.#tasks,
      succeeded: this.#succeeded,
      failed: this.#failed,
      processes: machine.pids,
      events: clock.calls,
      seconds: (realNowMs() - begunMs) / 1_000,
      violations: this.#oracle.violations,
      heapMb: { before, after: heapMb() },
    }
  }

  async #operate(pool: ReturnType<Simulation['createPool']>): Promise<void> {
    const { clock } = this.#simulation
    pool.start()
    for (let month = 1; clock.nowMs() < this.#days * DAY_MS; ) {
      const count = this.#random.int(TASKS.least, TASKS.most)
      const handles = Array.from({ length: count }, () => this.#submit(pool))
      await Promise.all(handles.map((handle) => handle.outcome()))
      this.#forget(handles.map(({ id }) => id))
      await sleep(this.#random.int(PAUSE_MS.least, PAUSE_MS.most))
      if (clock.nowMs() < month * RESTART_EVERY_DAYS * DAY_MS) continue
      month++
      await pool.shutdown()
      pool.start()
    }
    await pool.shutdown()
    this.#isOver = true
  }

  #submit(pool: ReturnType<Simulation['createPool']>) {
    this.#tasks++
    const ms = this.#random.int(0, 3_000)
    const handle = pool.submit(this.#random.pick(NAMES) as never, { ms } as never)
    this.#oracle.accept(handle)
    return handle
  }

  /** What has ended well is not kept for a year. */
  #forget(ids: readonly string[]): void {
    this.#oracle.forget(ids)
    for (const id of ids) this.#simulation.truth.forget(id)
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** After a collection, so that only what is held counts. */
function heapMb(): number {
  setFlagsFromString('--expose-gc')
  ;(runInNewContext('gc') as () => void)()
  return Math.round(process.memoryUsage().heapUsed / 1_000_000)
}
