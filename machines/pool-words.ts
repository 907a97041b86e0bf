/**
 * What the pool says to the workers, the ledger, the supervisor and the shutdown, as ready-made
 * command actions.
 */
import { vacancy } from './pool-cast.ts'
import {
  type PoolContext,
  type PoolEvent,
  type PoolToLedger,
  type PoolToSupervisor,
  START_TIMED_OUT,
} from './pool-facts.ts'
import type { ShutdownEvent } from './shutdown.ts'
import type { WorkersTold } from './supervisor-words.ts'
import type { ErrorFacts, SlotId } from './vocabulary.ts'
import type { WorkerEvent } from './worker-facts.ts'

type Args = { context: PoolContext; event: PoolEvent }

const toWorkers = (whom: (context: PoolContext) => readonly SlotId[], event: WorkerEvent) =>
  ({
    type: 'workers.tell',
    params: ({ context }: Args): WorkersTold => ({ slots: whom(context), event }),
  }) as const
const alive = (context: PoolContext) => context.alive
const cast = ({ serving, spares }: PoolContext) => [...serving, ...spares]
export const startWanted = toWorkers((context) => context.serving, { type: 'worker.start' })
export const standSpares = toWorkers((context) => context.spares, { type: 'worker.stand' })
export const stopUnwanted = toWorkers(
  (context) => context.alive.filter((slot) => !cast(context).includes(slot)),
  { type: 'worker.stop' },
)
/** Before the two change places. */
export const callSpare = toWorkers((context) => context.warm.slice(0, 1), { type: 'worker.start' })
export const benchVacant = toWorkers(
  (context) => [vacancy(context)].filter((slot) => slot !== null),
  {
    type: 'worker.stand',
  },
)
export const stopAll = toWorkers(alive, { type: 'worker.stop' })
export const terminateAll = toWorkers(alive, { type: 'worker.terminate' })
export const killAll = toWorkers(alive, {
  type: 'worker.kill',
  incarnation: null,
  cause: 'stopped',
})
const toLedger = (make: (args: Args) => PoolToLedger) =>
  ({ type: 'ledger.tell', params: make }) as const
export const hold = toLedger(() => ({ type: 'dispatch.hold', holder: 'pool' }))
export const free = toLedger(() => ({ type: 'dispatch.free', holder: 'pool' }))
export const openIntake = toLedger(() => ({ type: 'intake.open' }))
export const drainIntake = toLedger(() => ({ type: 'intake.drain' }))
export const failTasks = toLedger(({ context }) => ({
  type: 'pool.failed',
  error: context.error ?? START_TIMED_OUT,
}))
const toSupervisor = (make: (args: Args) => PoolToSupervisor) =>
  ({ type: 'supervisor.tell', params: make }) as const
export const supervise = toSupervisor(({ context }) => ({
  type: 'pool.opened',
  workers: context.size,
}))
export const resupervise = toSupervisor(({ context }) => ({
  type: 'pool.resized',
  workers: context.size,
  slots: cast(context),
}))
/** Before the workers are told to stop: who waits for leave to start will not get it. */
export const standDown = toSupervisor(() => ({ type: 'pool.resized', workers: 0, slots: [] }))
export const unsupervise = toSupervisor(() => ({ type: 'pool.closed' }))
/** Whatever state its actors are in: every process, every task, the store, the run folder. */
export const abortRun = {
  type: 'run.abort',
  params: ({ context }: Args): { readonly error: ErrorFacts } => ({
    error: context.error ?? START_TIMED_OUT,
  }),
} as const
const toShutdown = (make: (args: Args) => ShutdownEvent) =>
  ({ type: 'shutdown.tell', params: make }) as const
export const beginShutdown = toShutdown(({ event }) => ({
  type: 'shutdown.begin',
  force: event.type === 'pool.stop' && event.force,
}))
export const forceShutdown = toShutdown(() => ({ type: 'shutdown.force' }))
export const workersGone = toShutdown(() => ({ type: 'workers.gone' }))
