/**
 * One simulated life of a pool, as data: how the pool is made, which faults strike how often, and what
 * is done with it when. Made from a seed, and small enough to be shrunk and printed.
 */
import type { PoolOptions } from '../../src/api/options.ts'
import type { TaskOptions } from '../../src/api/task.ts'
import { FAULT_NAMES, type FaultName } from '../../src/testing/simulation/faults.ts'
import { SeededRandom } from '../../src/testing/simulation/seeded-random.ts'

type HandlerName =
  | 'quick'
  | 'slow'
  | 'deaf'
  | 'flaky'
  | 'permanent'
  | 'retiring'
  | 'page'
  | 'expired'

export interface Submission {
  readonly name: HandlerName
  readonly ms: number
  readonly options: Omit<TaskOptions, 'signal'>
}

export type Action =
  | ({
      readonly do: 'submit'
      /** Its signal is aborted so many ms later; 0: it has none. */
      readonly abortAfterMs: number
    } & Submission)
  /** `run` and `map` give promises that must settle. */
  | ({ readonly do: 'run' | 'map' } & Submission)
  | { readonly do: 'submitAll'; readonly tasks: readonly Submission[] }
  /** By its place among the submitted ones, from 0. */
  | { readonly do: 'cancel'; readonly task: number }
  | { readonly do: 'scale'; readonly workers: number }
  | { readonly do: 'shutdown'; readonly force: boolean }
  | { readonly do: 'groupLimit'; readonly limit: number }
  | { readonly do: 'pause' | 'resume' | 'drain' | 'start' | 'recover' | 'signal' | 'killPool' }
  | { readonly do: 'scaleUp' | 'scaleDown' | 'redriveAll' | 'accepting' }

/** When the pool tells this for the first time, in the middle of whatever it is doing. */
const REACTED_TO = [
  'task.started',
  'task.succeeded',
  'task.failed',
  'task.cancelled',
  'task.retried',
  'worker.ready',
  'worker.exited',
  'pool.changed',
] as const
type Trigger = (typeof REACTED_TO)[number]

export type Move = { readonly atMs: number } & (
  | Action
  | { readonly do: 'react'; readonly to: Trigger; readonly with: Action }
)

export interface Schedule {
  readonly seed: number
  readonly pool: Omit<PoolOptions, 'tasks'>
  readonly hasBrowser: boolean
  readonly faults: Readonly<Partial<Record<FaultName, number>>>
  readonly moves: readonly Move[]
  /** From here on nothing goes wrong any more, and everything must come to its end. */
  readonly healAtMs: number
  /** How the pool is ended, and whether it must have come to rest before. */
  readonly end: 'shutdown' | 'force' | 'signal' | 'stop'
  readonly isEndedEarly: boolean
}

const RATES = [0.02, 0.05, 0.1, 0.3, 0.7] as const
const TASKS = 5
const SPAN_MS = 2_000
/** From the last action to the end of the faults, at most. */
const HEAL_MS = 2_000
/** What a pool can take for ever is no test of its healing: starts that fail are bounded by the heal. */
const FAULTLESS_SHARE = 0.15
const PAGES: readonly HandlerName[] = ['page', 'page', 'page', 'expired']
const PLAIN_HANDLERS: readonly HandlerName[] = [
  'quick',
  'quick',
  'quick',
  'slow',
  'deaf',
  'flaky',
  'permanent',
  'retiring',
]

/** Pools are made in so many ways: each is drawn once, and its options are read once. */
const SHAPES = 256
const shapes = new Map<number, Pick<Schedule, 'pool' | 'hasBrowser'>>()

/** The life that a seed stands for. */
export function scheduleOf(seed: number): Schedule {
  const random = new SeededRandom(seed)
  const { pool, hasBrowser } = shapeOf(random.int(0, SHAPES - 1))
  const faults: Partial<Record<FaultName, number>> = {}
  if (!random.chance(FAULTLESS_SHARE)) {
    const share = random.pick([0.1, 0.25, 0.5])
    for (const name of FAULT_NAMES) if (random.chance(share)) faults[name] = random.pick(RATES)
  }
  const moves = [...submissions(random, hasBrowser), ...interventions(random)]
  moves.sort((a, b) => a.atMs - b.atMs)
  const lastMs = moves.at(-1)?.atMs ?? 0
  const healAtMs = lastMs + random.int(0, HEAL_MS)
  const end = random.pick(['shutdown', 'shutdown', 'force', 'signal', 'stop'] as const)
  const isEndedEarly = end !== 'stop' && random.chance(0.3)
  return { seed, pool, hasBrowser, faults, moves, healAtMs, end, isEndedEarly }
}

function shapeOf(number: number): Pick<Schedule, 'pool' | 'hasBrowser'> {
  let shape = shapes.get(number)
  if (shape === undefined) {
    const random = new SeededRandom(number)
    const hasBrowser = random.chance(0.25)
    shape = { hasBrowser, pool: poolOf(random, random.chance(0.15), hasBrowser) }
    shapes.set(number, shape)
  }
  return shape
}

function poolOf(random: SeededRandom, isDurable: boolean, hasBrowser: boolean): Schedule['pool'] {
  const workers = random.pick([1, 2, 2, 2, 3])
  const isElastic = random.chance(0.15)
  return {
    ...(isElastic ? { minWorkers: 1, maxWorkers: 3 } : { workers }),
    ...(random.chance(0.15) ? { standby: 1 } : {}),
    ...(isDurable ? { store: 'simulated.sqlite' } : {}),
    concurrentTasksPerWorker: random.pick([1, 1, 1, 2, 3]),
    maxQueue: random.pick([1_000, 1_000, 3]),
    maxTasksPerWorker: random.pick([0, 0, 0, 1, 2]),
    maxWorkerAge: random.pick([0, 0, 0, 2_000]),
    maxWorkerMemory: random.pick([0, 1_000_000_000]),
    maxWorkerMemoryHard: random.pick([0, 2_000_000_000]),
    queueFull: random.pick(['reject', 'wait'] as const),
    ageing: random.pick([0, 500]),
    groupConcurrency: random.pick([0, 0, 1]),
    ...(hasBrowser ? { browser: { isolation: random.pick(['session', 'context'] as const) } } : {}),
    strategy: random.pick(['roundRobin', 'leastLoaded', 'adaptive'] as const),
    heartbeatInterval: random.pick([500, 1_000, 1_000]),
    zombieAfter: random.pick([3_000, 5_000]),
    startTimeout: random.pick([3_000, 6_000]),
    closeTimeout: random.pick([500, 2_000]),
    drainTimeout: random.pick([500, 2_000]),
    cancelGrace: random.pick([100, 500]),
    restart: { minBackoff: 50, maxBackoff: 1_000, intensity: random.pick([3, 6]), period: 10_000 },
    task: {
      attempts: random.pick([1, 2, 3]),
      timeout: random.pick([400, 1_000, 2_000]),
      backoff: { delay: random.pick([1, 50, 400]), jitter: 0.2 },
      idempotent: random.chance(0.8),
    },
  }
}

function submissions(random: SeededRandom, hasBrowser: boolean): Move[] {
  const moves: Move[] = []
  for (let index = 0; index < TASKS; index++) {
    const isPage = hasBrowser && random.chance(0.5)
    const name = isPage ? random.pick(PAGES) : random.pick(PLAIN_HANDLERS)
    const task = { name, ms: random.int(0, 150), options: optionsOf(random, index, name) }
    const atMs = random.chance(0.4) ? 0 : random.int(0, SPAN_MS)
    const how = random.fraction()
    if (how < 0.08) moves.push({ atMs, do: random.pick(['run', 'map'] as const), ...task })
    else if (how < 0.16) moves.push({ atMs, do: 'submitAll', tasks: batchOf(random, task) })
    else {
      const abortAfterMs = how < 0.24 ? random.int(1, 500) : 0
      moves.push({ atMs, do: 'submit', abortAfterMs, ...task })
    }
  }
  return moves
}

/** The task, and one that waits for it. */
function batchOf(random: SeededRandom, task: Submission): Submission[] {
  const { id = '' } = task.options
  const dependencyFailure = random.pick(['fail', 'run'] as const)
  const options = { id: `${id}b`, dependsOn: [id], dependencyFailure }
  return [{ name: 'quick', ms: 1, options }, task]
}

function optionsOf(
  random: SeededRandom,
  index: number,
  name: HandlerName,
): Omit<TaskOptions, 'signal'> {
  const earlier = `t${random.int(0, Math.max(0, index - 1))}`
  return {
    id: `t${index}`,
    ...(name === 'page' && random.chance(0.3) ? { session: 'other' } : {}),
    ...(random.chance(0.2) ? { priority: random.int(0, 20) } : {}),
    ...(random.chance(0.1) ? { delay: random.int(1, 500) } : {}),
    ...(random.chance(0.1) ? { deadline: random.int(100, 3_000) } : {}),
    ...(random.chance(0.1) ? { queueTimeout: random.int(50, 1_000) } : {}),
    ...(random.chance(0.15) ? { group: random.pick(['a', 'b']) } : {}),
    ...(random.chance(0.05) ? { affinity: 'x' } : {}),
    ...(random.chance(0.1) ? { attempts: random.int(1, 4) } : {}),
    ...(index > 0 && random.chance(0.1) ? { dependsOn: [earlier] } : {}),
    ...(index > 0 && random.chance(0.05) ? { dependencyFailure: 'run' as const } : {}),
    ...(random.chance(0.05) ? { deduplication: { key: 'k' } } : {}),
    ...(random.chance(0.05) ? { cache: { key: 'c' } } : {}),
  }
}

function interventions(random: SeededRandom): Move[] {
  const moves: Move[] = []
  const at = () => random.int(0, SPAN_MS)
  const count = random.pick([0, 0, 1, 2, 3])
  for (let index = 0; index < count; index++) {
    const atMs = at()
    if (random.chance(0.15)) {
      moves.push({
        atMs: 0,
        do: 'react',
        to: random.pick(REACTED_TO),
        with: actionOf(random, index),
      })
      continue
    }
    const action = actionOf(random, index)
    moves.push({ atMs, ...action })
    if (action.do === 'pause') moves.push({ atMs: atMs + random.int(1, 800), do: 'resume' })
    if (action.do === 'signal' && random.chance(0.4)) {
      moves.push({ atMs: atMs + random.int(0, 300), do: 'signal' })
    }
  }
  return moves
}

function actionOf(random: SeededRandom, index: number): Action {
  const kind = random.pick([
    ...(['cancel', 'cancel', 'pause', 'resume', 'scale', 'drain', 'shutdown', 'submit'] as const),
    ...(['signal', 'start', 'recover', 'killPool', 'scaleUp', 'scaleDown', 'redriveAll'] as const),
    ...(['accepting', 'groupLimit'] as const),
  ])
  switch (kind) {
    case 'cancel':
      return { do: kind, task: random.int(0, TASKS - 1) }
    case 'scale':
      return { do: kind, workers: random.int(1, 4) }
    case 'shutdown':
      return { do: kind, force: random.chance(0.4) }
    case 'groupLimit':
      return { do: kind, limit: random.int(0, 1) }
    case 'submit': {
      const options = { id: `x${index}` }
      return { do: kind, abortAfterMs: 0, name: 'quick', ms: random.int(0, 100), options }
    }
    default:
      return { do: kind }
  }
}
