/**
 * One sequence: how the pool is made, which faults strike, what is done with it. Drawn by fast-check,
 * run on the real pool in virtual time, judged from outside by the books and from inside by the judge.
 */
import fc from 'fast-check'
import type { PoolOptions } from '../../src/api/options.ts'
import { FAULT_NAMES, type FaultName, type Faults } from '../../src/testing/simulation/faults.ts'
import {
  type PoolOracle,
  type PoolCommand,
  poolCommands,
  runPoolCommands,
} from '../../src/testing/commands/pool-commands.ts'
import { scenarioOf } from '../../src/testing/simulation/simulate-pool.ts'
import {
  configFor,
  prepareSimulation,
  Simulation,
} from '../../src/testing/simulation/simulation.ts'
import { inside, runIn } from '../../src/testing/simulation/virtual-time.ts'
import { handlers } from './schedule-handlers.ts'
import { SequenceJudge } from './sequence-judge.ts'

export interface Setting {
  readonly pool: Omit<PoolOptions, 'tasks'>
  readonly faults: Faults
  /** Of the machine's own chance. */
  readonly seed: number
}

export interface SequenceReport {
  readonly commands: number
  readonly virtualMs: number
  readonly seen: ReadonlyMap<string, number>
  readonly struck: Readonly<Record<FaultName, number>>
  readonly asked: SequenceJudge['asked']
}

const MAX_COMMANDS = 60
/** A sequence that takes longer than this in virtual time is stuck. */
const LIMIT_MS = 3_600_000
/** Once healed, everything must have come to rest within so many ms of virtual time. */
const SETTLE_MS = 120_000
const CANCEL_MS = 10_000
/** One sequence in so many is recorded, and every step of it taken again by the machines. */
const RECORDED_EVERY = 4
const READING_EVERY_MS = 1_000
const SIZES = { minWorkers: 1, maxWorkers: 3 }
const PLAIN = ['quick', 'slow', 'deaf', 'flaky', 'permanent', 'retiring']
/** Where there are browsers, every other task needs one: what befalls them is seldom enough. */
const MIXED = ['page', 'expired', 'quick', 'flaky']

const pools = fc.record(
  {
    workers: fc.constantFrom(2, 1, 3, 'elastic' as const),
    standby: fc.constantFrom(0, 0, 0, 1),
    concurrentTasksPerWorker: fc.constantFrom(1, 1, 2),
    maxQueue: fc.constantFrom(1_000, 1_000, 4),
    groupConcurrency: fc.constantFrom(0, 0, 1),
    ageing: fc.constantFrom(0, 0, 300),
    maxWorkerAge: fc.constantFrom(0, 0, 0, 2_000),
    idempotent: fc.constantFrom(true, true, false),
    queueFull: fc.constantFrom('reject' as const, 'wait' as const),
    maxTasksPerWorker: fc.constantFrom(0, 0, 2),
    strategy: fc.constantFrom('roundRobin' as const, 'adaptive' as const),
    drainTimeout: fc.constantFrom(2_000, 300),
    cancelGrace: fc.constantFrom(100, 500),
    intensity: fc.constantFrom(6, 3),
    timeout: fc.constantFrom(1_000, 2_000, 400),
    attempts: fc.constantFrom(2, 1, 3),
  },
  { noNullPrototype: true },
)

/** Swarms: in one sequence this goes wrong, in another that. Few chances, for they shrink at once. */
const faults: fc.Arbitrary<Faults> = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...FAULT_NAMES), fc.constantFrom(1, 0.3, 0.1, 0.03)), {
    maxLength: 4,
    selector: ([name]) => name,
  })
  .map((some) => Object.fromEntries(some))

const settings: fc.Arbitrary<Setting> = fc
  .record({
    pool: pools,
    faults: fc.oneof(fc.constant({}), faults),
    seed: fc.nat({ max: 1_000 }),
  })
  .map(({ pool: { workers, intensity, timeout, attempts, idempotent, ...pool }, ...rest }) => ({
    ...rest,
    pool: {
      ...pool,
      ...(workers === 'elastic' ? SIZES : { workers }),
      heartbeatInterval: 1_000,
      zombieAfter: 4_000,
      startTimeout: 4_000,
      closeTimeout: 1_000,
      restart: { minBackoff: 50, maxBackoff: 1_000, intensity, period: 10_000 },
      task: { attempts, timeout, idempotent, backoff: { delay: 50, jitter: 0.2 } },
    },
  }))

const payload = fc.record({ ms: fc.nat({ max: 150 }) }, { noNullPrototype: true })

/** The arbitrary keeps what was run: a new one for each check. */
export function sequences(
  hasBrowser: boolean,
  replayPath?: string,
): fc.Arbitrary<[commands: Iterable<PoolCommand>, setting: Setting]> {
  const names = hasBrowser ? MIXED : PLAIN
  const commands = poolCommands(fc, {
    payloads: Object.fromEntries(names.map((name) => [name, payload])),
    maxCommands: MAX_COMMANDS,
    workers: { min: SIZES.minWorkers, max: SIZES.maxWorkers },
    faults: FAULT_NAMES,
    ...(replayPath === undefined ? {} : { replayPath }),
  })
  return fc.tuple(commands, settings)
}

/** @throws Error with everything that is wrong */
export async function runSequence(
  commands: Iterable<PoolCommand>,
  setting: Setting,
  hasBrowser: boolean,
): Promise<SequenceReport> {
  await prepareSimulation()
  const judge = new SequenceJudge()
  // It takes its steps as real pools do, by XState itself, and writes them down.
  const isRecorded = setting.seed % RECORDED_EVERY === 0
  const simulation = new Simulation({
    seed: setting.seed,
    faults: setting.faults,
    config: configFor({
      ...setting.pool,
      logger: judge,
      observability: isRecorded ? 'complete' : 'basic',
    }),
    tasks: handlers(hasBrowser),
    isCopying: false,
    isTabled: !isRecorded,
    readingEveryMs: READING_EVERY_MS,
  })
  const pool = simulation.createPool()
  judge.attend(simulation, setting.pool.task?.idempotent !== false)
  const check = () => {
    judge.check()
    return judge.violation
  }
  const pending = (oracle: PoolOracle) => judge.pending(oracle)
  const real = { pool, scenario: scenarioOf(simulation), judge: check, pending }
  const options = { settleLimit: SETTLE_MS, cancelLimit: CANCEL_MS }
  try {
    const oracle = await play(simulation, judge, () => {
      pool.start()
      return runPoolCommands(fc, commands, real, options)
    })
    if (isRecorded) judge.judgeTrace()
    if (judge.violation !== null) throw new Error(judge.violation)
    return {
      commands: oracle.commands,
      virtualMs: simulation.clock.nowMs(),
      seen: oracle.seen,
      struck: simulation.faults.struck,
      asked: judge.asked,
    }
  } finally {
    simulation.machine.killPool()
    simulation.user.end()
  }
}

async function play(
  simulation: Simulation,
  judge: SequenceJudge,
  scenario: () => Promise<PoolOracle>,
): Promise<PoolOracle> {
  const { user, clock } = simulation
  user.enter = inside(user)
  let ending: { readonly oracle: PoolOracle } | { readonly error: unknown } | null = null
  const isOver = () => {
    // Nothing outside of a worker's process has moved: the pool is as it was.
    if (clock.caller?.isEnclosed !== true) judge.check()
    return ending !== null || judge.violation !== null
  }
  runIn(user, scenario).then(
    (oracle) => {
      ending = { oracle }
    },
    (error: unknown) => {
      ending = { error }
    },
  )
  await simulation.runUntil(isOver, LIMIT_MS)
  const ended = ending as { readonly oracle: PoolOracle } | { readonly error: unknown } | null
  if (ended !== null && 'error' in ended) throw ended.error
  if (judge.violation !== null) throw new Error(judge.violation)
  if (ended === null) throw new Error(`the sequence is stuck at ${clock.nowMs()} ms`)
  return ended.oracle
}
