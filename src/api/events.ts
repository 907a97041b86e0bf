/** What `pool.on` can listen to, and what a listener gets. Types only. */
import type { ExitStatus, SlotId } from '../../machines/protocol.ts'
import type { TroupeError } from '../common/errors.ts'
import type { PoolAlert, PoolStatus } from './status.ts'
import type { TaskOutcome } from './task.ts'

export type SucceededOutcome = Extract<TaskOutcome, { status: 'succeeded' }>
export type FailedOutcome = Extract<TaskOutcome, { status: 'failed' }>
export type CancelledOutcome = Extract<TaskOutcome, { status: 'cancelled' }>

/** What `pool.on` can listen to. */
export interface PoolEvents {
  'pool.changed': { readonly state: PoolStatus['state'] }
  'task.started': { readonly taskId: string; readonly attempt: number; readonly worker: SlotId }
  'task.progress': { readonly taskId: string; readonly progress: unknown }
  'task.retried': { readonly taskId: string; readonly attempt: number; readonly error: TroupeError }
  'task.succeeded': SucceededOutcome
  /** It ended so: what is tried again is `task.retried`. */
  'task.failed': FailedOutcome
  'task.cancelled': CancelledOutcome
  /** A process was forked; it is `worker.ready` once it can run tasks. */
  'worker.started': {
    readonly slot: SlotId
    readonly incarnation: number
    readonly pid: number | null
  }
  'worker.ready': { readonly slot: SlotId; readonly incarnation: number; readonly pid: number }
  'worker.exited': {
    readonly slot: SlotId
    readonly incarnation: number
    readonly exit: ExitStatus
    readonly cause: string
  }
  /** It said nothing for too long and is killed (a zombie). */
  'worker.silent': { readonly slot: SlotId; readonly incarnation: number }
  'worker.failed': { readonly slot: SlotId; readonly error: TroupeError }
  'worker.log': {
    readonly slot: SlotId
    readonly level: string
    readonly message: string
    readonly fields: Readonly<Record<string, unknown>>
  }
  /** The durable store was deleted, replaced or taken while it was in use. */
  'store.lost': { readonly error: TroupeError }
  'queue.full': { readonly maxQueue: number }
  /** How many workers it wants from now on; `up` and `down` against how many it wanted before. */
  'pool.scaled': { readonly workers: number; readonly by: 'up' | 'down' }
  'alert.raised': PoolAlert
  'alert.cleared': PoolAlert
  'memory.changed': { readonly band: 'normal' | 'pressure' | 'critical'; readonly ratio: number }
}
