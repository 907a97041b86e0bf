/** Every event a pool may meet, from two slots. The world keeps what the ledger was told. */
import type { PoolContext, PoolEvent } from '../../machines/pool.setup.ts'
import type { WorkersSend } from '../../machines/supervisor-messages.ts'
import type { SlotId } from '../../machines/protocol.ts'
import type { Command, ExplorePlan, Situation, Step } from '../support/explore.ts'

interface World {
  readonly isHeld: boolean
  readonly intake: 'shut' | 'open' | 'draining'
  /** What each slot was told last of what is wanted of it. */
  readonly reported: Readonly<Partial<Record<SlotId, 'start' | 'stand' | 'stop'>>>
}

const error = { code: 'WORKER_START_FAILED', message: 'no' }
const slots: readonly SlotId[] = ['worker-1', 'worker-2']

export const poolEvents: { readonly [T in PoolEvent['type']]: readonly PoolEvent[] } = {
  'pool.start': [{ type: 'pool.start' }],
  'pool.pause': [{ type: 'pool.pause' }],
  'pool.resume': [{ type: 'pool.resume' }],
  'pool.drain': [{ type: 'pool.drain' }],
  'pool.stop': [
    { type: 'pool.stop', force: false },
    { type: 'pool.stop', force: true },
  ],
  'pool.recover': [{ type: 'pool.recover' }],
  'pool.scale': [
    { type: 'pool.scale', workers: 1 },
    { type: 'pool.scale', workers: 2 },
  ],
  'run.opened': [{ type: 'run.opened' }],
  'run.failed': [{ type: 'run.failed', error }],
  'ledger.emptied': [{ type: 'ledger.emptied' }],
  'port.failed': [{ type: 'port.failed', port: 'pool: run.close', incarnation: null, error }],
  'actor.failed': [{ type: 'actor.failed', actor: 'ledger', error }],
  'run.aborted': [{ type: 'run.aborted' }],
  'worker.ready': slots.map((slot) => ({ type: 'worker.ready', slot })),
  'worker.warmed': slots.map((slot) => ({ type: 'worker.warmed', slot })),
  'worker.lost': slots.map((slot) => ({ type: 'worker.lost', slot })),
  'worker.failed': slots.map((slot) => ({ type: 'worker.failed', slot, error })),
  'worker.troubled': slots.map((slot) => ({ type: 'worker.troubled', slot, error })),
  'worker.stopped': slots.map((slot) => ({ type: 'worker.stopped', slot })),
  'workers.end': [
    { type: 'workers.end', how: 'stop' },
    { type: 'workers.end', how: 'terminate' },
    { type: 'workers.end', how: 'kill' },
  ],
  'shutdown.finished': [{ type: 'shutdown.finished', clean: true }],
  'memory.changed': [
    { type: 'memory.changed', band: 'normal', ratio: 0.5 },
    { type: 'memory.changed', band: 'pressure', ratio: 0.8 },
  ],
  'readings.changed': [{ type: 'readings.changed', areMissing: true }],
  'disk.changed': [{ type: 'disk.changed', isLow: true, freeBytes: 1 }],
  'health.changed': [{ type: 'health.changed', health: 'degraded' }],
}

function after({ from, to, commands }: Step<World>): World {
  const world = commands.reduce(obey, from.world)
  const isGoingDown = to.matches('stopping') || to.matches('error')
  const frees = commands.some(
    ({ params }) => (params as Messages | undefined)?.type === 'dispatch.free',
  )
  if (isGoingDown && frees) throw new Error('dispatch is freed on the way down')
  return world
}

interface Messages {
  readonly type?: string
}

function obey(world: World, command: Command): World {
  const { type, params } = command
  if (type === 'workers.send') return send(world, params as WorkersSend)
  switch ((params as Messages | undefined)?.type) {
    case 'dispatch.hold':
      return { ...world, isHeld: true }
    case 'dispatch.free':
      return { ...world, isHeld: false }
    case 'intake.open':
      return { ...world, intake: 'open' }
    case 'intake.drain':
      return { ...world, intake: 'draining' }
    default:
      return world
  }
}

function send(world: World, { slots: whom, event: { type } }: WorkersSend): World {
  const wish = {
    'worker.start': 'start',
    'worker.standBy': 'stand',
    'worker.stop': 'stop',
  } as const
  if (!Object.hasOwn(wish, type)) return world
  const reported = whom.map((slot) => [slot, wish[type as keyof typeof wish]] as const)
  return { ...world, reported: { ...world.reported, ...Object.fromEntries(reported) } }
}

function check({ snapshot, world }: Situation<World>) {
  const { size, failed, serving, spares, ready, warm } = snapshot.context as PoolContext
  const isUp = snapshot.matches('running') || snapshot.matches('paused')
  if (isUp) {
    const hopeless = warm.length === 0 && serving.every((slot) => failed.includes(slot))
    if (hopeless) throw new Error('up without hope')
    if (serving.length !== size) throw new Error('fewer or more serve than are wanted')
    if (serving.some((slot) => spares.includes(slot))) throw new Error('two parts for one slot')
    if (warm.some((slot) => !spares.includes(slot))) throw new Error('warm, but no spare')
    if (warm.length > 0 && serving.some((slot) => !ready.includes(slot))) {
      throw new Error('a warm spare stands by while a place is empty')
    }
    if (serving.some((slot) => world.reported[slot] !== 'start'))
      throw new Error('not told to start')
    if (spares.some((slot) => world.reported[slot] !== 'stand'))
      throw new Error('not told to stand by')
  }
  if (snapshot.matches('paused') && !world.isHeld) throw new Error('paused but dispatching')
  if (snapshot.matches('running') && world.isHeld) throw new Error('running but held')
  const isAt = (place: string) =>
    snapshot.matches({ running: place }) || snapshot.matches({ paused: place })
  if (isAt('accepting') && world.intake !== 'open') throw new Error('accepting, not open')
  if (isAt('draining') && world.intake !== 'draining') throw new Error('draining, and open')
}

/** Who serves is forgotten when the pool ends, and what a slot was told follows from it. */
function canonical({ snapshot, world: { isHeld, intake } }: Situation<World>) {
  const { serving, spares, affordable, ...context } = snapshot.context as PoolContext
  const { alive, ready, warm, failed, size, troubles, aborts, error: last } = context
  const isOn = ['launching', 'late'].some((starting) => snapshot.matches({ starting }))
  const isUp = isOn || snapshot.matches('running') || snapshot.matches('paused')
  const lists = [alive, ready, failed].map((list) => list.toSorted())
  const parts = isUp ? [serving, spares, warm, affordable] : []
  const tries = snapshot.matches('error') ? aborts : 0
  return [size, lists, parts, isOn ? troubles : 0, tries, last !== null, isHeld, intake]
}

export const poolPlan: ExplorePlan<World> = {
  inputs: [{ workers: 2, startTimeoutMs: 1 }],
  world: { isHeld: false, intake: 'shut', reported: {} },
  events: () => Object.values(poolEvents).flat(),
  after,
  check,
  canonical,
  maxStates: 4_000,
}

/** With a spare, which a pool without one never looks for. */
export const standbyPlan: ExplorePlan<World> = {
  ...poolPlan,
  inputs: [{ workers: 1, standby: 1, startTimeoutMs: 1 }],
  events: () =>
    Object.values(poolEvents)
      .flat()
      .filter((event) => !(event.type === 'pool.scale' && event.workers > 1)),
}
