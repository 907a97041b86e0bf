/** What the supervisor says to workers, ledger and pool, as ready-made command actions. */
import { readingOf, type SupervisorContext, type SupervisorEvent } from './supervisor.setup.ts'
import type { DispatchHolder, ExitCause, SlotId } from './protocol.ts'
import type { WorkerEvent } from './worker.setup.ts'
import type { ProcessId } from './worker-messages.ts'

export interface WorkersSend {
  readonly slots: readonly SlotId[]
  readonly event: WorkerEvent
}
/** One process each, whatever else its slot holds. */
export interface ProcessesKilled {
  readonly processes: readonly ProcessId[]
  readonly cause: ExitCause
}
export type SupervisorToLedger =
  | { type: 'dispatch.hold'; holder: DispatchHolder }
  | { type: 'dispatch.free'; holder: DispatchHolder }
export type SupervisorToPool =
  | { type: 'pool.scale'; workers: number }
  | { type: 'memory.changed'; band: 'normal' | 'pressure' | 'critical'; ratio: number }
  | { type: 'health.changed'; health: 'healthy' | 'degraded' | 'critical' }
  /** `isLow`: below the floor, so that nothing is dispatched. */
  | { type: 'disk.changed'; isLow: boolean; freeBytes: number }
  /** `areMissing`: none came for too long, so that nothing is judged by them. */
  | { type: 'readings.changed'; areMissing: boolean }

type Args = { context: SupervisorContext; event: SupervisorEvent }

const granted = (slots: readonly SlotId[]): WorkersSend => ({
  slots,
  event: { type: 'start.granted' },
})
export const grantAsker = {
  type: 'workers.send',
  params: ({ event }: Args) => granted('slot' in event ? [event.slot] : []),
} as const
/** `startNext` has just moved it to the end of those starting. */
export const grantNext = {
  type: 'workers.send',
  params: ({ context }: Args) => granted(context.starting.slice(-1)),
} as const
export const kill = (whom: (args: Args) => readonly ProcessId[], cause: ExitCause) =>
  ({
    type: 'processes.kill',
    params: (args: Args): ProcessesKilled => ({
      processes: whom(args).map(({ slot, incarnation }) => ({ slot, incarnation })),
      cause,
    }),
  }) as const
export const recycle = (whom: (args: Args) => SlotId[], replace: boolean) =>
  ({
    type: 'workers.send',
    params: (args: Args): WorkersSend => ({
      slots: whom(args),
      event: { type: 'worker.recycle', cause: 'memory', replace },
    }),
  }) as const
export const dispatch = (type: SupervisorToLedger['type'], holder: DispatchHolder) =>
  ({ type: 'ledger.send', params: (): SupervisorToLedger => ({ type, holder }) }) as const
export const bandChanged = (band: 'normal' | 'pressure' | 'critical') =>
  ({
    type: 'pool.send',
    params: (args: Args): SupervisorToPool => ({
      type: 'memory.changed',
      band,
      ratio: args.event.type === 'reading.taken' ? (readingOf(args).memoryRatio ?? 0) : 0,
    }),
  }) as const
export const healthChanged = (health: 'healthy' | 'degraded' | 'critical') =>
  ({
    type: 'pool.send',
    params: (): SupervisorToPool => ({ type: 'health.changed', health }),
  }) as const
export const diskChanged = (isLow: boolean) =>
  ({
    type: 'pool.send',
    params: (args: Args): SupervisorToPool => ({
      type: 'disk.changed',
      isLow,
      freeBytes: args.event.type === 'reading.taken' ? (readingOf(args).diskFreeBytes ?? 0) : 0,
    }),
  }) as const
export const readingsChanged = (areMissing: boolean) =>
  ({
    type: 'pool.send',
    params: (): SupervisorToPool => ({ type: 'readings.changed', areMissing }),
  }) as const
export const scale = (step: 1 | -1) =>
  ({
    type: 'pool.send',
    params: ({ context }: Args): SupervisorToPool => ({
      type: 'pool.scale',
      workers: context.size + step,
    }),
  }) as const
