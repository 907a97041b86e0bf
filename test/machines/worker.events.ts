/**
 * Every event a worker may meet. The world keeps what is true whatever the machine believes: which processes live, what
 * leave the supervisor gave, what the ledger and the pool were told.
 */
import type { AnyMachineSnapshot } from 'xstate'
import type { WorkerContext, WorkerEvent, WorkerPolicy } from '../../machines/worker.setup.ts'
import type { Command, ExplorePlan, Situation, Step } from '../support/explore.ts'

interface World {
  /** Incarnations that were forked and have not exited. */
  readonly alive: readonly number[]
  readonly leave: 'none' | 'asked' | 'held' | 'givenBack'
  /** Incarnations the ledger may still hear of. */
  readonly opened: readonly number[]
  /** What the pool counts the slot as. */
  readonly standing: 'gone' | 'warm' | 'ready'
}

const MAX_IN_FLIGHT = 2
const policy: WorkerPolicy = {
  startTimeoutMs: 1,
  closeTimeoutMs: 1,
  terminateTimeoutMs: 1,
  killTimeoutMs: 1,
  restart: { type: 'fixed', delayMs: 1, maxDelayMs: 1, jitter: 0 },
  resetBackoffAfterMs: 1,
  maxTasks: 2,
  maxAgeMs: 1,
}
const STALE = -1
const error = { code: 'WORKER_LOST', message: 'gone' }
const exit = { code: 1, signal: null }

type EventsOf = (context: WorkerContext, world: World) => readonly WorkerEvent[]

/** The incarnations worth telling apart, and one nobody knows. */
const known = ({ incarnation, current, outgoing }: WorkerContext) => [
  ...new Set([incarnation, current?.incarnation ?? STALE, outgoing?.incarnation ?? STALE, STALE]),
]
const upTo = (count: number) => Array.from({ length: count }, (_, at) => at + 1)

export const workerEvents: { readonly [T in WorkerEvent['type']]: EventsOf } = {
  'worker.start': () => [{ type: 'worker.start' }],
  'worker.standBy': () => [{ type: 'worker.standBy' }],
  'worker.stop': () => [{ type: 'worker.stop' }],
  'worker.terminate': () => [{ type: 'worker.terminate' }],
  'worker.kill': (context) => [
    { type: 'worker.kill', incarnation: null, cause: 'cancelled' },
    ...known(context).map((incarnation) => ({
      type: 'worker.kill' as const,
      incarnation,
      cause: 'silent' as const,
    })),
  ],
  'worker.recycle': () => [
    { type: 'worker.recycle', cause: 'recycled', replace: true },
    { type: 'worker.recycle', cause: 'memory', replace: false },
  ],
  'start.granted': () => [{ type: 'start.granted' }],
  'process.loaded': (context) =>
    known(context).map((incarnation) => ({ type: 'process.loaded', incarnation })),
  'session.launched': (context) =>
    known(context).map((incarnation) => ({ type: 'session.launched', incarnation })),
  'session.ready': (context) =>
    known(context).map((incarnation) => ({ type: 'session.ready', incarnation })),
  'session.failed': (context) =>
    known(context).flatMap((incarnation) => [
      { type: 'session.failed', incarnation, error, permanent: false },
      { type: 'session.failed', incarnation, error, permanent: true },
    ]),
  'process.exited': (_, { alive }) =>
    [...alive, STALE].map((incarnation) => ({
      type: 'process.exited',
      incarnation,
      exit,
      error,
      random: 0.5,
      atMs: 0,
    })),
  'tasks.assigned': ({ current }) =>
    [
      STALE,
      ...((current?.inFlight ?? MAX_IN_FLIGHT) < MAX_IN_FLIGHT
        ? [current?.incarnation ?? STALE]
        : []),
    ].map((incarnation) => ({
      type: 'tasks.assigned',
      incarnation,
      tasks: [{ taskId: 'a', attempt: 1, order: null }],
    })),
  'tasks.ended': ({ current, outgoing }, { alive }) => [
    { type: 'tasks.ended', incarnation: STALE, count: 1 },
    ...[current, outgoing].flatMap((crew) =>
      crew && alive.includes(crew.incarnation)
        ? upTo(crew.inFlight).map((count) => ({
            type: 'tasks.ended' as const,
            incarnation: crew.incarnation,
            count,
          }))
        : [],
    ),
  ],
  'retire.requested': (context) =>
    known(context).map((incarnation) => ({ type: 'retire.requested', incarnation })),
  'port.failed': (context) =>
    known(context).map((incarnation) => ({
      type: 'port.failed',
      port: 'process.run',
      incarnation,
      error,
    })),
  'process.outgoing': () => [],
}

function eventsAt({ snapshot, world }: Situation<World>): WorkerEvent[] {
  const context = snapshot.context as WorkerContext
  return Object.values(workerEvents).flatMap((make) => make(context, world))
}

function after({ from, event, to, commands }: Step<World>): World {
  const reported = event as WorkerEvent | null
  let world = from.world
  if (reported?.type === 'worker.kill' && world.alive.includes(reported.incarnation ?? STALE)) {
    if (!isKilling(to, reported.incarnation)) throw new Error('a process to be killed lives on')
  }
  if (reported?.type === 'port.failed' && world.alive.includes(reported.incarnation ?? STALE)) {
    if (!isKilling(to, reported.incarnation))
      throw new Error('a process that cannot be reached lives on')
  }
  if (reported?.type === 'process.exited') {
    const isReported = commands.some(({ params }) => {
      const messages = (params ?? {}) as Messages
      return messages.type === 'worker.exited' && messages.incarnation === reported.incarnation
    })
    if (!isReported && reported.incarnation !== STALE)
      throw new Error('an exit that nobody hears of')
    demandOnePayer(from.snapshot, reported.incarnation, to, commands)
    world = { ...world, alive: world.alive.filter((one) => one !== reported.incarnation) }
  }
  if (reported?.type === 'session.launched' && commands.length > 0) {
    const { incarnation } = to.context as WorkerContext
    if (reported.incarnation !== incarnation) throw new Error('a stale launch gives leave back')
  }
  const hasRun = commands.some(({ type }) => type === 'process.run')
  if (reported?.type === 'tasks.assigned' && reported.incarnation === STALE && hasRun) {
    throw new Error('a stale order runs')
  }
  if (reported?.type === 'start.granted' && world.leave === 'asked')
    world = { ...world, leave: 'held' }
  return commands.reduce(obey, world)
}

const ASKED_FOR: ReadonlySet<string> = new Set([
  'memory',
  'memoryShortage',
  'stopped',
  'recycled',
  'cancelled',
])

/** A death is charged once: to the task that was alone in the process, or else to the slot. */
function demandOnePayer(
  from: AnyMachineSnapshot,
  incarnation: number,
  to: AnyMachineSnapshot,
  commands: readonly Command[],
): void {
  const { current, ending } = from.context as WorkerContext
  if (current?.incarnation !== incarnation || ending?.permanent === true) return
  const { life } = from.value as { life: unknown }
  // Killed or asked to go, it was; what it does while its tasks run out, it does by itself.
  if (life !== 'draining' && ASKED_FOR.has(ending?.cause ?? 'crashed')) return
  const { life: next, wanted } = to.value as { life: unknown; wanted: string }
  const isCounted = commands.some(({ params }) => (params as Messages)?.type === 'worker.crashed')
  const isOfTask = current.inFlight === 1
  if (isOfTask && (isCounted || next === 'backoff')) throw new Error('a death is charged twice')
  if (!isOfTask && !isCounted && wanted !== 'stopped') {
    throw new Error('a death is charged to nobody')
  }
}

function isKilling({ context, value }: AnyMachineSnapshot, incarnation: number | null): boolean {
  const { incarnation: newest, current, outgoing } = context as WorkerContext
  const { life, outgoing: leaving } = value as { life: unknown; outgoing: string }
  const isEnding = life === 'killing' && incarnation === (current?.incarnation ?? newest)
  return isEnding || (leaving === 'killing' && incarnation === outgoing?.incarnation)
}

interface Messages {
  readonly type?: string
  readonly incarnation: number
}

function obey(world: World, { type, params }: Command): World {
  const messages = (params ?? {}) as Messages
  const { incarnation } = messages
  if (type === 'process.fork') {
    if (world.leave !== 'held') throw new Error('forked without a start permit')
    return { ...world, alive: [...world.alive, incarnation] }
  }
  if (type === 'process.run' && !world.opened.includes(incarnation)) {
    throw new Error('tasks run in a process the ledger does not know')
  }
  return messages.type === undefined ? world : hear(world, messages.type, incarnation)
}

function hear(world: World, type: string, incarnation: number): World {
  const demand = (truth: boolean) => {
    if (!truth) throw new Error(`${type} is out of turn`)
  }
  switch (type) {
    case 'start.requested':
      demand(world.leave === 'none')
      return { ...world, leave: 'asked' }
    case 'start.withdrawn':
      demand(world.leave === 'asked')
      return { ...world, leave: 'none' }
    case 'start.launched':
      demand(world.leave === 'held')
      return { ...world, leave: 'givenBack' }
    case 'start.ended':
      demand(world.leave === 'held' || world.leave === 'givenBack')
      return { ...world, leave: 'none' }
    case 'worker.opened':
      demand(!world.opened.includes(incarnation))
      return { ...world, opened: [...world.opened, incarnation] }
    case 'worker.exited':
      demand(!world.alive.includes(incarnation))
      return { ...world, opened: world.opened.filter((one) => one !== incarnation) }
    case 'worker.warmed':
      demand(world.standing === 'gone')
      return { ...world, standing: 'warm' }
    case 'worker.ready':
      demand(world.standing !== 'ready')
      return { ...world, standing: 'ready' }
    case 'worker.lost':
      demand(world.standing !== 'gone')
      return { ...world, standing: 'gone' }
    default:
      return world
  }
}

const ASLEEP = new Set(['stopped', 'backoff', 'failed', 'lingering'])

function check({ snapshot, world }: Situation<World>) {
  const { incarnation, current, outgoing } = snapshot.context as WorkerContext
  const { life } = snapshot.value as { life: string | Record<string, string> }
  const isAsleep = typeof life === 'string' && ASLEEP.has(life)
  const own = isAsleep ? [] : [incarnation, current?.incarnation]
  const cared = new Set([...own, outgoing?.incarnation])
  for (const one of world.alive) {
    if (!cared.has(one)) throw new Error('a process lives that the worker has forgotten')
  }
  if (isAsleep && world.leave !== 'none') throw new Error(`leave kept while ${life}`)
  if (isAsleep && world.standing !== 'gone')
    throw new Error(`the pool thinks it is ${world.standing} while ${life}`)
  if (life === 'standby' && world.opened.length > (outgoing === null ? 0 : 1))
    throw new Error('the ledger knows a process that only stands by')
  if (life === 'stopped' && world.alive.length > 0) throw new Error('stopped with a process')
  for (const one of world.opened) {
    if (!world.alive.includes(one)) throw new Error('the ledger waits for a process that is gone')
  }
  if ((current?.inFlight ?? 0) < 0 || (outgoing?.inFlight ?? 0) < 0)
    throw new Error('fewer than no tasks')
}

function canonical({ snapshot, world }: Situation<World>) {
  const { incarnation, current, outgoing, failures, ending } = snapshot.context as WorkerContext
  const all = [
    incarnation,
    current?.incarnation,
    outgoing?.incarnation,
    ...world.alive,
    ...world.opened,
  ]
  const ranks = [...new Set(all.map((one) => one ?? STALE))].toSorted((a, b) => b - a)
  const back = (one: number) => ranks.indexOf(one)
  return [
    incarnation === 0,
    current && [
      back(current.incarnation),
      current.inFlight,
      Math.min(current.tasksRun, policy.maxTasks),
    ],
    outgoing && [back(outgoing.incarnation), outgoing.inFlight],
    failures > 0,
    ending && [ending.cause, ending.permanent],
    world.alive.map(back),
    world.opened.map(back),
    world.leave,
    world.standing,
  ]
}

export const workerPlan: ExplorePlan<World> = {
  inputs: [{ slot: 'worker-1', policy }],
  world: { alive: [], leave: 'none', opened: [], standing: 'gone' },
  events: eventsAt,
  after,
  check,
  canonical,
  maxStates: 12_000,
}
