/** Every event a pool may meet, from two slots. The world keeps what the ledger was told. */
import type { PoolContext, PoolEvent } from '../../machines/pool-facts.ts'
import type { SlotId } from '../../machines/vocabulary.ts'
import type { Command, ExplorePlan, Situation, Step } from '../support/explore.ts'

interface World {
  readonly isHeld: boolean
  readonly intake: 'shut' | 'open' | 'draining'
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
  'worker.ready': slots.map((slot) => ({ type: 'worker.ready', slot })),
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
  'memory.changed': [{ type: 'memory.changed', band: 'pressure', ratio: 0.8 }],
  'health.changed': [{ type: 'health.changed', health: 'degraded' }],
}

function after({ from, to, commands }: Step<World>): World {
  const world = commands.reduce(obey, from.world)
  const isGoingDown = to.matches('stopping') || to.matches('error')
  const frees = commands.some(
    ({ params }) => (params as Words | undefined)?.type === 'dispatch.free',
  )
  if (isGoingDown && frees) throw new Error('dispatch is freed on the way down')
  return world
}

interface Words {
  readonly type?: string
}

function obey(world: World, { params }: Command): World {
  switch ((params as Words | undefined)?.type) {
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

function check({ snapshot, world }: Situation<World>) {
  const { size, failed } = snapshot.context as PoolContext
  const isUp = snapshot.matches('running') || snapshot.matches('paused')
  const hopeless = slots.slice(0, size).every((slot) => failed.includes(slot))
  if (isUp && hopeless) throw new Error('up without hope')
  if (snapshot.matches('paused') && !world.isHeld) throw new Error('paused but dispatching')
  if (snapshot.matches('running') && world.isHeld) throw new Error('running but held')
  if (snapshot.matches({ running: 'accepting' }) && world.intake !== 'open') {
    throw new Error('accepting with a closed intake')
  }
}

function canonical({ snapshot, world }: Situation<World>) {
  const { alive, ready, failed, size, error: last } = snapshot.context as PoolContext
  return [size, alive.toSorted(), ready.toSorted(), failed.toSorted(), last !== null, world]
}

export const poolPlan: ExplorePlan<World> = {
  inputs: [{ workers: 2, startTimeoutMs: 1 }],
  world: { isHeld: false, intake: 'shut' },
  events: () => Object.values(poolEvents).flat(),
  after,
  check,
  canonical,
  maxStates: 4_000,
}
