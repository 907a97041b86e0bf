/**
 * What the pool says to the workers, the ledger, the supervisor and the shutdown, as ready-made
 * command actions.
 */
import {
  vacancy,
  type PoolContext,
  type PoolEvent,
  type PoolToLedger,
  type PoolToSupervisor,
  START_TIMED_OUT,
} from './pool.setup.ts'
import type { ShutdownEvent } from './shutdown.machine.ts'
import type { WorkersSend } from './supervisor-messages.ts'
import type { SerializedError, SlotId } from './protocol.ts'
import type { WorkerEvent } from './worker.setup.ts'

type Args = { context: PoolContext; event: PoolEvent }

const toWorkers = (whom: (context: PoolContext) => readonly SlotId[], event: WorkerEvent) =>
  ({
    type: 'workers.send',
    params: ({ context }: Args): WorkersSend => ({ slots: whom(context), event }),
  }) as const
const alive = (context: PoolContext) => context.alive
const roster = ({ serving, spares }: PoolContext) => [...serving, ...spares]
export const startWanted = toWorkers((context) => context.serving, { type: 'worker.start' })
export const standSpares = toWorkers((context) => context.spares, { type: 'worker.standBy' })
export const stopUnwanted = toWorkers(
  (context) => context.alive.filter((slot) => !roster(context).includes(slot)),
  { type: 'worker.stop' },
)
/** Before the two change places. */
export const callSpare = toWorkers((context) => context.warm.slice(0, 1), { type: 'worker.start' })
export const benchVacant = toWorkers(
  (context) => [vacancy(context)].filter((slot) => slot !== null),
  {
    type: 'worker.standBy',
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
  ({ type: 'ledger.send', params: make }) as const
export const hold = toLedger(() => ({ type: 'dispatch.hold', holder: 'pool' }))
export const free = toLedger(() => ({ type: 'dispatch.free', holder: 'pool' }))
export const openIntake = toLedger(() => ({ type: 'intake.open' }))
export const drainIntake = toLedger(() => ({ type: 'intake.drain' }))
export const failTasks = toLedger(({ context }) => ({
  type: 'pool.failed',
  error: context.error ?? START_TIMED_OUT,
}))
const toSupervisor = (make: (args: Args) => PoolToSupervisor) =>
  ({ type: 'supervisor.send', params: make }) as const
export const supervise = toSupervisor(({ context }) => ({
  type: 'pool.opened',
  workers: context.size,
}))
export const resupervise = toSupervisor(({ context }) => ({
  type: 'pool.resized',
  workers: context.size,
  slots: roster(context),
}))
/** Before the workers are told to stop: who waits for a start permit will not get it. */
export const standDown = toSupervisor(() => ({ type: 'pool.resized', workers: 0, slots: [] }))
export const unsupervise = toSupervisor(() => ({ type: 'pool.closed' }))
/** Whatever state its actors are in: every process, every task, the store, the run folder. */
export const abortRun = {
  type: 'run.abort',
  params: ({ context }: Args): { readonly error: SerializedError } => ({
    error: context.error ?? START_TIMED_OUT,
  }),
} as const
const toShutdown = (make: (args: Args) => ShutdownEvent) =>
  ({ type: 'shutdown.send', params: make }) as const
export const beginShutdown = toShutdown(({ event }) => ({
  type: 'shutdown.begin',
  force: event.type === 'pool.stop' && event.force,
}))
export const forceShutdown = toShutdown(() => ({ type: 'shutdown.force' }))
export const workersGone = toShutdown(() => ({ type: 'workers.gone' }))
