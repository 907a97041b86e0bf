/**
 * `simulatePool`: a real pool for your own tests, in virtual time, with no process and no browser. Your
 * handlers run as they are; hours pass in milliseconds; faults strike by name; a seed repeats it all.
 */
import type { PoolActor } from '../../pool/actor.ts'
import type { PoolOptions } from '../../api/options.ts'
import type { TaskOutcome } from '../../api/task.ts'
import type { DefinedTasks, TaskMap } from '../../task/context.ts'
import type { FaultName, Faults } from './faults.ts'
import { parseSeed } from './seeded-random.ts'
import { configFor, prepareSimulation, Simulation } from './simulation.ts'
import {
  violationOfCrowd,
  violationOfLeftovers,
  violationOfOutcome,
  violationOfStart,
} from '../truth-rules.ts'
import { emptyPage, type PageMaker } from './virtual-browser.ts'
import { definedOf } from './virtual-tasks.ts'
import { inside, runIn, useVirtualTime } from './virtual-time.ts'

/** A scenario that takes longer than this in virtual time is stuck, unless told otherwise: a day. */
const DEFAULT_LIMIT_MS = 24 * 3_600_000
/** The end of a pool that the scenario has not ended itself. */
const END_LIMIT_MS = 10 * 60_000
const MAX_OUTCOMES = 100_000
/** What a handler asks of the real world, a file perhaps, has its chance after every step. */
const STEPS_PER_TURN = 1

/** The options of the pool, as createPoolActor takes them, and those of the simulation. */
export interface SimulateOptions<Tasks extends TaskMap | DefinedTasks>
  extends Omit<PoolOptions, 'tasks' | 'runFolder' | 'artifacts' | 'trace' | 'plugins'> {
  /** Your handlers: what `defineTasks` gives, or a map of them. */
  readonly tasks: Tasks
  /** What goes wrong, and how often. Default: nothing. */
  readonly faults?: Faults
  /** A whole number; the same one gives the same run. Default 1. */
  readonly seed?: number
  /** Makes the `page` that browser tasks get. Default: one that can do next to nothing. */
  readonly page?: PageMaker
  /** ms of virtual time after which a scenario counts as stuck. Default: a day. */
  readonly limit?: number
}

type ModuleOf<Tasks> = Tasks extends DefinedTasks
  ? { readonly default: Tasks }
  : Tasks extends TaskMap
    ? { readonly default: DefinedTasks<Tasks> }
    : never

/** What a scenario can do to the simulation beside using the pool. */
export interface Scenario {
  /** ms of virtual time since the beginning. */
  readonly nowMs: number
  /** Lets so many ms of virtual time pass. */
  advance(ms: number): Promise<void>
  /** From now on nothing goes wrong any more. */
  heal(): void
  /** Sends a signal to the process that the pool lives in. */
  signal(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP'): void
  /** Lets a fault strike at the next occasion for it. @throws TypeError for a name that is none */
  inject(fault: FaultName): void
  /** How often faults have struck so far. */
  readonly injects: number
  /** What is wrong with the processes on the simulated machine, or null: a slot has two at most. */
  violation(): string | null
  /** What the pool has on the simulated machine, or null: nothing, as after a shutdown. */
  left(): string | null
}

export interface SimulationReport<Value> {
  /** What the scenario gave. */
  readonly value: Value
  readonly seed: number
  /** How long it took in virtual time, the pool's end included. */
  readonly virtualMs: number
  /** How every task ended, in this order; the first 100,000. */
  readonly outcomes: readonly TaskOutcome[]
  /** How often each fault has struck. */
  readonly struck: Readonly<Record<FaultName, number>>
}

export interface PoolSimulation<Tasks extends TaskMap | DefinedTasks> {
  readonly seed: number
  /**
   * Runs the scenario on a pool that has been started. Its own timers are virtual, too. Afterwards the
   * pool is shut down, unless it has been already.
   *
   * @throws What the scenario throws, with the seed in its message. Error when the scenario is stuck,
   * when the pool has told something that did not happen, or has left something behind. CONFIG_INVALID
   */
  run<Value>(
    scenario: (pool: PoolActor<ModuleOf<Tasks>>, scenario: Scenario) => Promise<Value> | Value,
  ): Promise<SimulationReport<Value>>
}

/**
 * A pool for tests, with neither processes nor browser nor waiting.
 *
 * @throws TypeError for a seed that is no number, or a fault that does not exist.
 * @example
 * const simulation = simulatePool({
 *   tasks: { double: async ({ payload }: TaskContext<number>) => payload * 2 },
 *   workers: 2,
 *   faults: { crash: { task: 'double', attempt: 1 } },
 * })
 * const { value, struck } = await simulation.run((pool) => pool.run('double', 21))
 * // value is 42 and struck.crash is 1: the worker died, and another did the work.
 */
export function simulatePool<const Tasks extends TaskMap | DefinedTasks>(
  options: SimulateOptions<Tasks>,
): PoolSimulation<Tasks> {
  const { tasks, faults = {}, seed: given = 1, page = emptyPage, limit, ...pool } = options
  const seed = parseSeed(given)
  const make = () =>
    new Simulation({
      tasks: definedOf(tasks),
      config: configFor(pool),
      faults,
      seed,
      page,
      stepsPerTurn: STEPS_PER_TURN,
    })
  // What is wrong with the options is told at once.
  make()
  return { seed, run: (scenario) => play(make(), scenario as never, seed, limit) as never }
}

type AnyScenario<Value> = (pool: PoolActor, scenario: Scenario) => Promise<Value> | Value
type Ending<Value> = { readonly value: Value } | { readonly error: unknown }

async function play<Value>(
  simulation: Simulation,
  scenario: AnyScenario<Value>,
  seed: number,
  limitMs: number = DEFAULT_LIMIT_MS,
): Promise<SimulationReport<Value>> {
  await prepareSimulation()
  const giveTimeBack = useVirtualTime()
  try {
    const { user } = simulation
    user.enter = inside(user)
    const pool = simulation.createPool()
    const outcomes: TaskOutcome[] = []
    const violations: string[] = []
    listen(pool, simulation, outcomes, violations)
    const value = await act(simulation, pool, scenario, limitMs)
    await end(simulation, pool)
    const left = violationOfLeftovers(simulation.machine.leftovers())
    if (left !== null) violations.push(left)
    if (violations.length > 0) throw new Error(violations.join('\n'))
    const virtualMs = simulation.clock.nowMs()
    return { value, seed, virtualMs, outcomes, struck: { ...simulation.faults.struck } }
  } catch (error) {
    throw withSeed(error, seed)
  } finally {
    simulation.machine.killPool()
    simulation.user.end()
    giveTimeBack()
  }
}

function listen(
  pool: PoolActor,
  { truth }: Simulation,
  outcomes: TaskOutcome[],
  violations: string[],
): void {
  truth.onBegin = (action, earlier) => {
    const violation = violationOfStart(action, earlier)
    if (violation !== null) violations.push(violation)
  }
  for (const type of ['task.succeeded', 'task.failed', 'task.cancelled'] as const) {
    pool.on(type, (outcome) => {
      if (outcomes.length < MAX_OUTCOMES) outcomes.push(outcome)
      const violation = violationOfOutcome(outcome, truth)
      if (violation !== null) violations.push(violation)
      truth.forget(outcome.taskId)
    })
  }
}

async function act<Value>(
  simulation: Simulation,
  pool: PoolActor,
  scenario: AnyScenario<Value>,
  limitMs: number,
): Promise<Value> {
  const { user } = simulation
  let ending = null as Ending<Value> | null
  runIn(user, async () => {
    pool.start()
    return scenario(pool, scenarioOf(simulation))
  }).then(
    (value) => {
      ending = { value }
    },
    (error: unknown) => {
      ending = { error }
    },
  )
  const isOver = await simulation.runUntil(() => ending !== null, limitMs)
  if (!isOver || ending === null) throw stuck(simulation, pool, limitMs)
  if ('error' in ending) throw ending.error
  return ending.value
}

async function end(simulation: Simulation, pool: PoolActor): Promise<void> {
  let isEnded = false
  simulation.user.end()
  void pool.shutdown().then(() => {
    isEnded = true
  })
  const limitMs = simulation.clock.nowMs() + END_LIMIT_MS
  if (!(await simulation.runUntil(() => isEnded, limitMs))) {
    throw new Error(`the pool does not end: it is ${pool.status().state}`)
  }
}

/** The stage of a simulation, for who plays on it without `simulatePool`. */
export function scenarioOf({ clock, user, faults, machine }: Simulation): Scenario {
  return {
    get nowMs() {
      return clock.nowMs()
    },
    advance: (ms) => new Promise((resolve) => void user.setTimeout(resolve, ms)),
    heal: () => faults.heal(),
    signal: (signal) => machine.signal(signal),
    inject: (fault) => faults.provoke(fault),
    get injects() {
      return Object.values(faults.struck).reduce((sum, count) => sum + count, 0)
    },
    violation: () => violationOfCrowd(machine.processes),
    left: () => violationOfLeftovers(machine.leftovers()),
  }
}

function stuck(simulation: Simulation, pool: PoolActor, limitMs: number): Error {
  const { state, tasks } = pool.status()
  const how =
    simulation.clock.nextAtMs > limitMs
      ? `it has not ended within ${limitMs} ms of virtual time`
      : 'it waits for something that is not part of the simulation'
  const open = `${tasks.pending} tasks wait and ${tasks.active} run`
  return new Error(`the scenario is stuck: ${how}; the pool is ${state}, ${open}`)
}

/** The same error, told how to see it again. */
function withSeed(error: unknown, seed: number): unknown {
  const hint = `(simulatePool ran with seed: ${seed}; the same seed shows the same again)`
  if (!(error instanceof Error)) return new Error(`${String(error)}\n${hint}`, { cause: error })
  try {
    error.message = `${error.message}\n${hint}`
  } catch {
    // An error whose message cannot be changed keeps it.
  }
  return error
}
