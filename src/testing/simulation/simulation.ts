/**
 * One simulated machine with one pool on it: the real pool, its ledger, supervisor, shutdown and worker
 * code, in time that moves only here. It drives and looks; what is done with the pool is the caller's.
 */
import { parseConfig, type PoolConfig } from '../../config/parse.ts'
import type { PoolOptions } from '../../api/options.ts'
import { type PoolActor, poolActorOf } from '../../pool/actor.ts'
import { PoolRuntime } from '../../pool/runtime.ts'
import type { DefinedTasks } from '../../task/context.ts'
import { FaultPlan, type Faults } from './faults.ts'
import type { Forge } from '../forged-frames.ts'
import { SeededRandom } from './seeded-random.ts'
import { emptyPage, type PageMaker } from './virtual-browser.ts'
import { type Scope, VirtualClock } from './virtual-clock.ts'
import { VirtualMachine } from './virtual-machine.ts'
import { loadedFor, WorldTruth } from './virtual-tasks.ts'
import { stepInTurns } from './virtual-time.ts'

interface SimulationOptions {
  readonly tasks: DefinedTasks
  readonly config: PoolConfig
  readonly faults: Faults
  readonly seed: number
  readonly page?: PageMaker
  /** Frames are copied, as real pipes do it. Default true. */
  readonly isCopying?: boolean
  /** ms between readings of the machine; default: as often as the pool asks for. */
  readonly readingEveryMs?: number
  /** Steps between two turns of the real event loop, 256 at most. */
  readonly stepsPerTurn?: number
  /** What `frameForged` makes of a frame. Default: what no worker sends. */
  readonly forge?: Forge
  /** False: the pool's machines take their steps as XState does it, not by tables. Default true. */
  readonly isTabled?: boolean
}

let prepared: Promise<unknown> | null = null

/** What a worker loads late is loaded now: loading takes real time, and so no two runs are alike. */
export async function prepareSimulation(): Promise<void> {
  prepared ??= import('../../child/session/session-host.ts')
  await prepared
}

/** @throws CONFIG_INVALID */
export function configFor(options: Omit<PoolOptions, 'tasks'>): PoolConfig {
  const config = parseConfig({ logger: 'silent', ...options, tasks: 'simulated.ts' })
  // Nothing is written, whatever the environment asks of real pools.
  return { ...config, trace: null }
}

export class Simulation {
  readonly clock = new VirtualClock()
  readonly random: SeededRandom
  readonly faults: FaultPlan
  readonly truth = new WorldTruth()
  readonly machine: VirtualMachine
  /** Of the code that uses the pool. */
  readonly user: Scope
  /** Of the pool that was made last. */
  runtime: PoolRuntime | null = null
  pool: PoolActor | null = null
  readonly #options: SimulationOptions

  constructor(options: SimulationOptions) {
    this.#options = options
    this.random = new SeededRandom(options.seed)
    this.faults = new FaultPlan(options.faults, this.random)
    this.user = this.clock.scope('user')
    this.machine = new VirtualMachine({
      clock: this.clock,
      random: this.random,
      faults: this.faults,
      page: options.page ?? emptyPage,
      isCopying: options.isCopying ?? true,
      isTabled: options.isTabled ?? true,
      ...(options.forge && { forge: options.forge }),
      ...(options.readingEveryMs && { readingEveryMs: options.readingEveryMs }),
      loadTasks: loadedFor(options.tasks, this),
    })
  }

  /** A pool on this machine; the one before must have ended, or been killed. */
  createPool(): PoolActor {
    const runtime = new PoolRuntime(this.#options.config, this.machine.world())
    this.runtime = runtime
    this.pool = poolActorOf(runtime)
    return this.pool
  }

  /**
   * Lets time pass until `isDone`, or until nothing is left to happen. Every promise settles before the
   * clock moves on.
   *
   * @returns False when it ended for another reason than `isDone`.
   */
  runUntil(isDone: () => boolean, limitMs = Number.POSITIVE_INFINITY): Promise<boolean> {
    return stepInTurns(() => {
      if (isDone()) return true
      return this.clock.step(limitMs) ? undefined : false
    }, this.#options.stepsPerTurn)
  }
}
