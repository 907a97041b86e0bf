/**
 * The logic behind the pool's model: the shipped pool machine told what a user says, and a world in
 * which all goes well. Pure: the same state and event give the same state.
 */
import { type AnyMachineSnapshot, initialTransition, type StateValue, transition } from 'xstate'
import type { PoolContext, PoolEvent } from '../../../machines/pool.setup.ts'
import { poolMachine } from '../../../machines/index.ts'
import { settled } from './pool-world-model.ts'

/** What a user may do, and `settle`: to wait until nothing is under way. */
export type PoolModelEvent =
  | { readonly type: 'start' | 'pause' | 'resume' | 'drain' | 'stop' | 'force' | 'settle' }
  | { readonly type: 'scale'; readonly workers: number }

export interface ModelSnapshot {
  readonly status: 'active'
  readonly output: undefined
  readonly error: undefined
  readonly pool: AnyMachineSnapshot
}

export function logicOf(workers: number) {
  const input = { workers, startTimeoutMs: 1 }
  const start = initialTransition(poolMachine, input)[0] as AnyMachineSnapshot
  const active = { status: 'active', output: undefined, error: undefined } as const
  const initial: ModelSnapshot = { ...active, pool: start }
  return {
    getInitialSnapshot: () => initial,
    getPersistedSnapshot: (snapshot: ModelSnapshot) => snapshot,
    transition: (snapshot: ModelSnapshot, event: PoolModelEvent): ModelSnapshot => ({
      ...active,
      pool: event.type === 'settle' ? settled(snapshot.pool) : sent(snapshot.pool, event),
    }),
  }
}

const MESSAGES = {
  start: { type: 'pool.start' },
  pause: { type: 'pool.pause' },
  resume: { type: 'pool.resume' },
  drain: { type: 'pool.drain' },
  stop: { type: 'pool.stop', force: false },
  force: { type: 'pool.stop', force: true },
} as const satisfies Record<string, PoolEvent>

function messageOf(event: Exclude<PoolModelEvent, { type: 'settle' }>): PoolEvent {
  if (event.type === 'scale') return { type: 'pool.scale', workers: event.workers }
  return MESSAGES[event.type as keyof typeof MESSAGES]
}

/** A pool without tasks is drained as soon as it is asked to be. */
function sent(snapshot: AnyMachineSnapshot, event: PoolModelEvent): AnyMachineSnapshot {
  const [next] = transition(poolMachine, snapshot as never, messageOf(event as never))
  if (!(next as AnyMachineSnapshot).matches({ running: 'draining' })) return next as never
  return transition(poolMachine, next, { type: 'ledger.emptied' })[0] as AnyMachineSnapshot
}

/** What the machine would act on, and a wait where something is under way. */
export function eventsAt(
  snapshot: ModelSnapshot,
  sizes: readonly number[],
): readonly PoolModelEvent[] {
  const { pool } = snapshot
  const users: PoolModelEvent[] = (Object.keys(MESSAGES) as (keyof typeof MESSAGES)[]).map(
    (type) => ({
      type,
    }),
  )
  const size = (pool.context as PoolContext).size
  const scales = sizes
    .filter((workers) => workers !== size)
    .map((workers): PoolModelEvent => ({ type: 'scale', workers }))
  const can = (event: PoolModelEvent) => pool.can(messageOf(event as never))
  const isResting = keyOf(snapshot) === keyOf({ ...snapshot, pool: settled(pool) })
  return [...[...users, ...scales].filter(can), ...(isResting ? [] : [{ type: 'settle' } as const])]
}

/** What tells states apart: a cast that nobody has been told of does not. */
export function keyOf({ pool }: Pick<ModelSnapshot, 'pool'>): string {
  const { size, alive, ready, warm, failed } = pool.context as PoolContext
  const facts = [alive, ready, warm, failed].map((slots) => slots.toSorted())
  return JSON.stringify([pool.value, size, facts])
}

/** `{ running: 'accepting' }` is `running.accepting`. */
export function nameOf(value: StateValue): string {
  if (typeof value === 'string') return value
  return Object.entries(value)
    .map(([key, inner]) => `${key}.${nameOf(inner as StateValue)}`)
    .join(' ')
}
