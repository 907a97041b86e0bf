/**
 * Lives a schedule: makes the pool on a virtual machine, does what the schedule says, lets the faults
 * end, and waits for everything to come to rest. It never looks at the real clock.
 */
import type { AnyActorRef, InspectedEventEvent } from 'xstate'
import type { PoolConfig } from '../../src/config/parse.ts'
import { isTroupeError } from '../../src/common/errors.ts'
import type { PoolActor } from '../../src/pool/actor.ts'
import { stateName } from '../../src/pool/states.ts'
import type { TaskHandle } from '../../src/api/task.ts'
import {
  configFor,
  prepareSimulation,
  Simulation,
} from '../../src/testing/simulation/simulation.ts'
import { FALLS, violationOfLeftovers } from '../../src/testing/truth-rules.ts'
import { inside } from '../../src/testing/simulation/virtual-time.ts'
import { problemText, TraceCheck } from '../../src/testing/conformance/conformance.ts'
import type { FaultName } from '../../src/testing/simulation/faults.ts'
import { noteCoverage } from '../support/coverage.ts'
import { handlers } from './schedule-handlers.ts'
import { Oracle } from './schedule-oracle.ts'
import type { Action, Move, Schedule, Submission } from './schedule.ts'

/** After the heal, everything must have come to rest within so many ms of virtual time. */
const CONVERGE_MS = 120_000
const ORPHAN_LIMIT_MS = 2_000
const SHUTDOWN_MS = 60_000
/** A pool that cannot start is asked again so often, after the heal. */
const NUDGE_MS = 1_000
/** Readings that find nothing new cost as much as others: no more of them than the rules need. */
const READING_EVERY_MS = 1_000
/** What a pool may answer to a move that comes at a bad time. */
const REFUSALS: ReadonlySet<string> = new Set([
  'POOL_CLOSED',
  'DRAINING',
  'QUEUE_FULL',
  'STATE_INVALID',
  'CONFIG_INVALID',
  // `run` rejects with what came of its task.
  ...FALLS,
])

const configs = new WeakMap<Schedule['pool'], PoolConfig>()

/** Read once for all lives of such a pool. */
function configOf(pool: Schedule['pool']): PoolConfig {
  let config = configs.get(pool)
  if (config === undefined) {
    config = configFor(pool)
    configs.set(pool, config)
  }
  return config
}

export interface RunReport {
  readonly violations: readonly string[]
  readonly hash: number
  readonly struck: Readonly<Record<FaultName, number>>
  /** Calls of the virtual clock. */
  readonly calls: number
  /** Events that machines, tasks and the ledger got; counted only when asked for. */
  readonly events: number
  readonly virtualMs: number
  /** How tasks, workers and pools came to an end, by kind. */
  readonly seen: ReadonlyMap<string, number>
}

interface LifeOptions {
  /**
   * The events that actors get are counted, and their steps, taken by XState itself, checked against the
   * machines.
   */
  readonly isCounting?: boolean
  /** Told of each of them, with the virtual time. */
  readonly onEvent?: (atMs: number, event: InspectedEventEvent) => void
}

class Life {
  readonly #schedule: Schedule
  readonly #oracle = new Oracle()
  readonly #simulation: Simulation
  #pool: PoolActor
  #events = 0
  readonly #checks: TraceCheck[] = []
  readonly #waiting = new Set<{ readonly what: string; readonly pool: PoolActor }>()
  readonly #options: LifeOptions

  constructor(schedule: Schedule, options: LifeOptions) {
    this.#schedule = schedule
    this.#options = options
    this.#simulation = new Simulation({
      seed: schedule.seed,
      faults: schedule.faults,
      config: {
        ...configOf(schedule.pool),
        logger: this.#oracle,
        observability: options.isCounting ? 'complete' : 'basic',
      },
      tasks: handlers(schedule.hasBrowser),
      isCopying: false,
      readingEveryMs: READING_EVERY_MS,
      isTabled: options.isCounting !== true,
    })
    this.#oracle.attend(this.#simulation, schedule.pool.task?.idempotent !== false)
    this.#pool = this.#create()
  }

  async simulateSchedule(): Promise<RunReport> {
    await prepareSimulation()
    const { user, faults } = this.#simulation
    const { moves, healAtMs } = this.#schedule
    user.enter = inside(user)
    user.after(0, () => void this.#pool.start())
    for (const move of moves) user.after(move.atMs, () => this.#make(move))
    await this.#until(() => false, healAtMs)
    faults.heal()
    if (!this.#schedule.isEndedEarly) await this.#converge()
    await this.#close()
    const { clock } = this.#simulation
    return {
      violations: this.#oracle.violations,
      hash: this.#oracle.hash >>> 0,
      struck: faults.struck,
      calls: clock.calls,
      events: this.#events,
      virtualMs: clock.nowMs(),
      seen: this.#oracle.seen,
    }
  }

  #create(): PoolActor {
    const pool = this.#simulation.createPool()
    this.#oracle.listen(pool)
    const { onEvent } = this.#options
    this.#follow()
    if (onEvent !== undefined || this.#options.isCounting) {
      pool.system.inspect((inspected) => {
        if (inspected.type !== '@xstate.event') return
        // Those of machines are counted as steps of the trace.
        if ((inspected.actorRef as AnyActorRef).id === 'ledger') this.#events++
        onEvent?.(this.#simulation.clock.nowMs(), inspected)
      })
    }
    return pool
  }

  /** Every step is taken again by the machines, where it is recorded (G8). */
  #follow(): void {
    const { runtime } = this.#simulation
    if (!runtime?.recorder) return
    const check = new TraceCheck({ isBare: true })
    this.#checks.push(check)
    runtime.recorder.follow((line) => check.take(line))
  }

  #judgeTraces(): void {
    for (const check of this.#checks) {
      const { problems, taken, steps } = check.end()
      this.#events += steps
      noteCoverage('simulation', taken)
      // A trace that breaks off is one of a pool that was killed.
      for (const problem of problems) {
        if (problem.kind !== 'truncated') this.#oracle.report(problemText(problem))
      }
    }
  }

  #make(move: Move): void {
    if (move.do !== 'react') return this.#try(move)
    let isDone = false
    this.#pool.on(move.to, () => {
      // A pool that is being ended is left alone.
      if (isDone || this.#simulation.user.isOver) return
      isDone = true
      this.#try(move.with)
    })
  }

  #try(action: Action): void {
    try {
      this.#do(action)
    } catch (error) {
      this.#reportUnlessRefused(action.do, error)
    }
  }

  #do(action: Action): void {
    const pool = this.#pool
    const later = (promise: Promise<unknown>) => this.#await(action.do, promise)
    switch (action.do) {
      case 'submit':
        return this.#submit(action, action.abortAfterMs)
      case 'run':
        return later(pool.run(action.name as never, { ms: action.ms } as never, action.options))
      case 'map':
        return later(this.#map(action))
      case 'submitAll': {
        const tasks = action.tasks.map(({ ms, ...task }) => ({ ...task, payload: { ms } }))
        for (const handle of pool.submitAll(tasks as never) as TaskHandle[])
          this.#oracle.accept(handle)
        return
      }
      case 'cancel':
        return void this.#oracle.handles[action.task]?.cancel()
      case 'scale':
        return later(pool.scale(action.workers))
      case 'groupLimit':
        return pool.setGroupLimit('a', action.limit)
      case 'shutdown':
        return later(pool.shutdown({ force: action.force }))
      case 'drain':
      case 'scaleUp':
      case 'scaleDown':
      case 'accepting':
        return later(pool[action.do]())
      case 'redriveAll':
        for (const handle of pool.deadLetters.redriveAll().redriven) this.#oracle.readmit(handle)
        return
      case 'signal':
        return this.#simulation.machine.signal('SIGINT')
      case 'killPool':
        // Not in the middle of its own code, when a listener does it.
        return void this.#simulation.user.after(0, () => this.#killPool())
      default:
        return void pool[action.do]()
    }
  }

  #submit({ name, ms, options }: Submission, abortAfterMs: number): void {
    const all = abortAfterMs > 0 ? { ...options, signal: this.#abortion(abortAfterMs) } : options
    this.#oracle.accept(this.#pool.submit(name as never, { ms } as never, all))
  }

  #abortion(afterMs: number): AbortSignal {
    const controller = new AbortController()
    this.#simulation.user.after(afterMs, () => controller.abort())
    return controller.signal
  }

  async #map({ name, ms, options: { id: _, dependsOn: __, ...options } }: Submission) {
    const payloads = [{ ms }, { ms: 1 }]
    for await (const outcome of this.#pool.map(
      name as never,
      payloads as never,
      options as never,
    )) {
      this.#oracle.note('mapped', outcome.taskId, outcome.status)
    }
  }

  /** Whatever the pool promises, it keeps: each of these must settle. */
  #await(what: string, promise: Promise<unknown>): void {
    const waiting = { what, pool: this.#pool }
    this.#waiting.add(waiting)
    promise.then(
      () => this.#waiting.delete(waiting),
      (error: unknown) => {
        this.#waiting.delete(waiting)
        this.#reportUnlessRefused(what, error)
      },
    )
  }

  #reportUnlessRefused(what: string, error: unknown): void {
    if (isTroupeError(error) && REFUSALS.has(error.code)) return
    this.#oracle.report(`${what} failed: ${(error as Error).stack ?? String(error)}`)
  }

  /** The host is killed; another begins with what the first has stored. */
  #killPool(): void {
    this.#simulation.machine.killPool()
    this.#oracle.noteKill(this.#schedule.pool.store !== undefined)
    this.#waiting.clear()
    this.#pool = this.#create()
    this.#simulation.user.after(1_000, () => void this.#pool.start())
  }

  async #converge(): Promise<void> {
    const { clock } = this.#simulation
    const limitMs = clock.nowMs() + CONVERGE_MS
    let nudgeAtMs = clock.nowMs()
    const isAtRest = () => {
      if (clock.nowMs() >= nudgeAtMs) {
        nudgeAtMs = clock.nowMs() + NUDGE_MS
        this.#nudge()
      }
      return this.#oracle.isDone() && this.#waiting.size === 0 && this.#isWhole()
    }
    this.#simulation.user.setInterval(() => {}, NUDGE_MS)
    if (await this.#until(isAtRest, limitMs)) return
    const { state, lastError } = this.#pool.status()
    const slots = this.#pool.status().workers.map(({ slot, state: at }) => `${slot} ${at}`)
    const open = [...this.#waiting].map(({ what }) => `${what} waits`)
    const facts = [...open, state, lastError ?? 'no error', ...slots, ...this.#oracle.unended()]
    this.#oracle.report(`healed, and not at rest after ${CONVERGE_MS} ms: ${facts.join(', ')}`)
  }

  /** What an operator would do, once the trouble is over. */
  #nudge(): void {
    const state = stateName(this.#pool.getSnapshot().value)
    if (state === 'error') this.#pool.recover()
    else if (state === 'paused') this.#pool.resume()
    if (this.#pool.getSnapshot().value === 'idle') this.#pool.start()
  }

  /** Every slot serves again. */
  #isWhole(): boolean {
    const { value, context } = this.#pool.getSnapshot()
    return (
      typeof value === 'object' &&
      'running' in value &&
      context.ready.length >= Math.min(context.size, context.alive.length) &&
      context.ready.length > 0
    )
  }

  async #close(): Promise<void> {
    let isClosed = false
    const { clock, user } = this.#simulation
    user.end()
    this.#end().then(
      () => {
        isClosed = true
      },
      (error: unknown) => this.#oracle.report(`the end failed: ${String(error)}`),
    )
    if (!(await this.#until(() => isClosed, clock.nowMs() + SHUTDOWN_MS))) {
      this.#oracle.report(`the shutdown does not end: ${this.#pool.status().state}`)
    }
    // What a killed pool has left goes within two seconds (G3).
    const { machine } = this.#simulation
    const isClean = () => violationOfLeftovers(machine.leftovers()) === null
    await this.#until(isClean, clock.nowMs() + ORPHAN_LIMIT_MS)
    for (const { what } of this.#waiting) this.#oracle.report(`${what} never settles`)
    this.#judgeTraces()
    this.#oracle.judgeEnd()
  }

  async #end(): Promise<void> {
    switch (this.#schedule.end) {
      case 'force':
        return this.#pool.shutdown({ force: true })
      case 'signal':
        // A pool at rest does not listen; one in trouble has to be told by hand.
        this.#simulation.machine.signal('SIGTERM')
        return this.#pool.shutdown()
      case 'stop':
        return void this.#pool.stop()
      default:
        return this.#pool.shutdown()
    }
  }

  #until(isDone: () => boolean, limitMs: number): Promise<boolean> {
    const { clock } = this.#simulation
    return this.#simulation.runUntil(() => {
      // Nothing outside of a worker's process has moved: the pool is as it was.
      if (clock.caller?.isEnclosed === true) return false
      this.#oracle.check()
      return this.#oracle.violations.length > 0 || isDone()
    }, limitMs)
  }
}

/** Lives a schedule from its beginning to its end. */
export function simulateSchedule(
  schedule: Schedule,
  options: LifeOptions = {},
): Promise<RunReport> {
  return new Life(schedule, options).simulateSchedule()
}
