/**
 * Every event a supervisor may meet, over two slots. The world keeps the time and which slots asked for a start permit
 * and were given it.
 */
import type { EventObject } from 'xstate'
import type {
  SupervisorContext,
  SupervisorEvent,
  SupervisorPolicy,
} from '../../machines/supervisor.setup.ts'
import type { ProcessesKilled, WorkersSend } from '../../machines/supervisor-messages.ts'
import type { SlotId, WorkerReading } from '../../machines/protocol.ts'
import type { Command, ExplorePlan, Situation, Step } from '../support/explore.ts'

interface World {
  readonly nowMs: number
  readonly asked: readonly SlotId[]
  /** They hold their leave. */
  readonly granted: readonly SlotId[]
  /** They have given it back, and are not ready yet. */
  readonly launched: readonly SlotId[]
}

/** Longer than any dwell, idle time or period of the policy. */
const LONG_MS = 100
const policy: SupervisorPolicy = {
  intensity: 1,
  periodMs: 50,
  cooldownMs: 1,
  maxStarting: 1,
  zombieAfterMs: 10,
  readingTimeoutMs: 1,
  scaleCooldownMs: 1,
  memory: {
    pressureRatio: 0.7,
    criticalRatio: 0.9,
    hysteresis: 0.1,
    dwellMs: 50,
    maxWorkerBytes: 100,
    killWorkerBytes: 300,
  },
  diskFloorBytes: 1_000,
  scaling: { minWorkers: 1, maxWorkers: 2, upAt: 0.8, downAt: 0.2, idleMs: 50 },
}
const slots: readonly SlotId[] = ['worker-1', 'worker-2']

type EventsOf = (nowMs: number) => readonly SupervisorEvent[]

const idle: WorkerReading = {
  slot: 'worker-1',
  incarnation: 1,
  serving: true,
  memoryBytes: 50,
  silentMs: 0,
  busy: false,
}
const sights: readonly (readonly WorkerReading[])[] = [
  [],
  [idle],
  [{ ...idle, silentMs: 20 }],
  [{ ...idle, memoryBytes: 200, busy: true }],
  [
    { ...idle, silentMs: 20 },
    { ...idle, slot: 'worker-2', memoryBytes: 200 },
  ],
  [{ ...idle, serving: false, memoryBytes: 400 }],
  [
    { ...idle, memoryBytes: 400, busy: true },
    { ...idle, slot: 'worker-2', memoryBytes: 200 },
  ],
]

/** Readings that differ in what some guard looks at, one thing at a time. */
const readings: EventsOf = (nowMs) => {
  const load = { utilization: 0.5, queued: 0, ready: 2, workers: [idle] }
  const calm = { memoryRatio: 0.1, diskFreeBytes: 2_000, ...load }
  const varied = [
    calm,
    ...[0.65, 0.75, 0.85, 0.95].map((memoryRatio) => ({ ...calm, memoryRatio })),
    ...sights.map((workers) => ({ ...calm, workers })),
    { ...calm, memoryRatio: 0.95, workers: [{ ...idle, busy: true }] },
    { ...calm, memoryRatio: 0.75, workers: [{ ...idle, busy: true }] },
    { ...calm, utilization: 0.9, queued: 1 },
    { ...calm, utilization: 0.1 },
    { ...calm, ready: 1 },
    { ...calm, ready: 0, workers: [] },
    { ...calm, diskFreeBytes: 999 },
    { ...calm, diskFreeBytes: 1_050 },
    { ...calm, diskFreeBytes: null },
    { ...calm, memoryRatio: null, diskFreeBytes: null, workers: [{ ...idle, silentMs: 20 }] },
    { ...calm, ready: 1, workers: sights[4] ?? [] },
  ]
  return varied.flatMap((reading) =>
    [nowMs, nowMs + LONG_MS].map((atMs) => ({
      type: 'reading.taken',
      reading: { ...reading, atMs },
    })),
  )
}

export const supervisorEvents: { readonly [T in SupervisorEvent['type']]: EventsOf } = {
  'start.requested': () => slots.map((slot) => ({ type: 'start.requested', slot })),
  'start.launched': () => slots.map((slot) => ({ type: 'start.launched', slot })),
  'start.withdrawn': () => slots.map((slot) => ({ type: 'start.withdrawn', slot })),
  'start.ended': () =>
    slots.flatMap((slot) => [
      { type: 'start.ended', slot, ready: true },
      { type: 'start.ended', slot, ready: false },
    ]),
  'worker.crashed': (nowMs) => [
    { type: 'worker.crashed', slot: 'worker-1', atMs: nowMs },
    { type: 'worker.crashed', slot: 'worker-1', atMs: nowMs + LONG_MS },
  ],
  'reading.taken': readings,
  'pool.opened': () => [{ type: 'pool.opened', workers: 2 }],
  'pool.resized': () => [
    { type: 'pool.resized', workers: 1, slots: slots.slice(0, 1) },
    { type: 'pool.resized', workers: 2, slots },
  ],
  'pool.closed': () => [{ type: 'pool.closed' }],
}

/** A slot asks once, and ends or withdraws only what it asked for. */
function isReal({ world }: Situation<World>, event: EventObject): boolean {
  const reported = event as SupervisorEvent
  switch (reported.type) {
    case 'start.requested':
      return ![...world.asked, ...world.granted, ...world.launched].includes(reported.slot)
    case 'start.launched':
      return world.granted.includes(reported.slot)
    case 'start.withdrawn':
      return world.asked.includes(reported.slot)
    case 'start.ended':
      return [...world.granted, ...world.launched].includes(reported.slot)
    default:
      return true
  }
}

/** Readings fail to come: what becomes of that hangs on readings alone. */
const isReadingMissed = ({ type }: EventObject) => type.startsWith('xstate.after.readingTimeout')

/** Readings come long after each other, crashes close together, and the pool has two slots or is closed. */
function isLeap({ world }: Situation<World>, event: EventObject): boolean {
  const reported = event as SupervisorEvent
  if (reported.type === 'reading.taken') return reported.reading.atMs > world.nowMs
  if (reported.type === 'worker.crashed') return reported.atMs === world.nowMs
  return reported.type !== 'pool.resized'
}

function after({ from, event, to, commands }: Step<World>): World {
  let { world } = from
  const reported = event as SupervisorEvent | null
  if (reported?.type === 'start.requested')
    world = { ...world, asked: [...world.asked, reported.slot] }
  if (reported?.type === 'start.withdrawn' || reported?.type === 'start.ended') {
    world = leave(world, reported.slot)
  }
  if (reported?.type === 'start.launched' && world.granted.includes(reported.slot)) {
    world = { ...leave(world, reported.slot), launched: [...world.launched, reported.slot] }
  }
  /** Slots that are not wanted any more ask no more: they are about to hear it. */
  if (reported?.type === 'pool.resized') {
    world = { ...world, asked: world.asked.filter((slot) => reported.slots.includes(slot)) }
  }
  /** A closed pool has no worker left that waits or starts. */
  if (reported?.type === 'pool.closed') world = { ...world, asked: [], granted: [], launched: [] }
  if (reported?.type === 'reading.taken') world = { ...world, nowMs: reported.reading.atMs }
  if (reported?.type === 'worker.crashed') world = { ...world, nowMs: reported.atMs }
  demandJudgement(reported, commands)
  const next = commands.reduce(obey, world)
  const { restarts } = to.value as { restarts: unknown }
  const isGranting = next.granted.some((slot) => !from.world.granted.includes(slot))
  if (typeof restarts === 'object' && isGranting) {
    if (next.granted.length + next.launched.length > 1) throw new Error('two probes at once')
  }
  return next
}

/**
 * Who is silent for too long or far too large is killed and who is too large is recycled, whatever else goes on.
 */
function demandJudgement(reported: SupervisorEvent | null, commands: readonly Command[]) {
  if (reported?.type !== 'reading.taken') return
  const killedFor = (wanted: string) =>
    commands.flatMap((command) => {
      if (command.type !== 'processes.kill') return []
      const { processes, cause } = command.params as ProcessesKilled
      return cause === wanted ? processes.map(({ slot }) => slot) : []
    })
  const recycled = commands.flatMap((command) => {
    if (command.type !== 'workers.send') return []
    const { slots: whom, event } = command.params as WorkersSend
    return event.type === 'worker.recycle' ? whom : []
  })
  const { maxWorkerBytes, killWorkerBytes } = policy.memory
  for (const { slot, silentMs, memoryBytes } of reported.reading.workers) {
    const isSilent = silentMs > policy.zombieAfterMs
    const isBursting = memoryBytes > killWorkerBytes
    const isOversized = memoryBytes > maxWorkerBytes && !isBursting
    if (isSilent && !killedFor('silent').includes(slot)) {
      throw new Error('a silent worker is left alone')
    }
    if (isBursting && !killedFor('memory').includes(slot)) {
      throw new Error('one far too large is left alone')
    }
    if (isOversized && !recycled.includes(slot)) throw new Error('an oversized one is left alone')
  }
}

function leave(world: World, slot: SlotId): World {
  return {
    ...world,
    asked: world.asked.filter((one) => one !== slot),
    granted: world.granted.filter((one) => one !== slot),
    launched: world.launched.filter((one) => one !== slot),
  }
}

function obey(world: World, { type, params }: Command): World {
  if (type !== 'workers.send') return world
  const { slots: whom, event } = params as WorkersSend
  if (event.type !== 'start.granted') return world
  if (whom.length === 0) throw new Error('leave is given to nobody')
  for (const slot of whom) {
    if (!world.asked.includes(slot)) throw new Error('leave is given to one who did not ask')
  }
  return {
    ...world,
    asked: world.asked.filter((one) => !whom.includes(one)),
    granted: [...world.granted, ...whom],
  }
}

function check({ snapshot, world }: Situation<World>) {
  const { waiting, starting, launched } = snapshot.context as SupervisorContext
  const { restarts } = snapshot.value as { restarts: unknown }
  if (world.granted.length > policy.maxStarting) throw new Error('too many start at once')
  if (starting.toSorted().join() !== world.granted.toSorted().join()) {
    throw new Error('starting is not who was given leave')
  }
  if (launched.toSorted().join() !== world.launched.toSorted().join()) {
    throw new Error('launched is not who has given leave back')
  }
  if (waiting.toSorted().join() !== world.asked.toSorted().join()) {
    throw new Error('waiting is not who asked')
  }
  if (restarts === 'closed' && waiting.length > 0 && starting.length < policy.maxStarting) {
    throw new Error('somebody waits though nobody starts')
  }
}

function canonical({ snapshot, world }: Situation<World>) {
  const { size, waiting, starting, launched, crashesMs, bandSinceMs, lowSinceMs } =
    snapshot.context as SupervisorContext
  const crashes = crashesMs.filter((atMs) => world.nowMs - atMs < policy.periodMs).length
  return [
    size,
    waiting,
    starting,
    launched,
    Math.min(crashes, policy.intensity + 1),
    world.nowMs - bandSinceMs >= policy.memory.dwellMs,
    lowSinceMs === null ? null : world.nowMs - lowSinceMs >= policy.scaling.idleMs,
    world.asked,
    world.granted,
    world.launched,
  ]
}

const whole: ExplorePlan<World> = {
  inputs: [{ policy }],
  world: { nowMs: LONG_MS, asked: [], granted: [], launched: [] },
  events: ({ world }) => Object.values(supervisorEvents).flatMap((make) => make(world.nowMs)),
  isReal,
  after,
  check,
  canonical,
  maxStates: 1_000,
}

/** Its regions hardly touch, and their product is large: it is seen from three sides instead of whole. */
export const supervisorPlans = {
  /** Leave to start and the breaker. Readings are met, but lead nowhere. */
  starts: {
    ...whole,
    isReal: (situation, event) =>
      event.type !== 'reading.taken' && !isReadingMissed(event) && isReal(situation, event),
  },
  /** Memory, load, silence and health. Starts and crashes are met, but lead nowhere. */
  readings: {
    ...whole,
    isReal: (_, event) => event.type === 'reading.taken' || !/^(start|worker)\./.test(event.type),
  },
  /** Every combination of the regions' states. It is told only whether anybody starts, and time goes in leaps. */
  configurations: {
    ...whole,
    isReal: (situation, event) =>
      isLeap(situation, event) && !isReadingMissed(event) && isReal(situation, event),
    canonical: ({ snapshot, world }) => {
      const { size, waiting, starting, launched, crashesMs, lowSinceMs } =
        snapshot.context as SupervisorContext
      const isRecent = crashesMs.some((atMs) => world.nowMs - atMs < policy.periodMs)
      const isCalm = waiting.length + starting.length + launched.length === 0
      return [size, isRecent, isCalm, lowSinceMs === null]
    },
  },
} satisfies Record<string, ExplorePlan<World>>
