/** What the ledger hears: from submitters, from children, and from the machines around it. */
import type { PoolToLedger } from '../../machines/pool.setup.ts'
import type { ShutdownToLedger } from '../../machines/shutdown.machine.ts'
import type { SupervisorToLedger } from '../../machines/supervisor-messages.ts'
import type { CancelReason, SlotId } from '../../machines/protocol.ts'
import type { WorkerToLedger } from '../../machines/worker-messages.ts'
import type { TaskRecord } from './task/record.ts'
import type { KnownTasks } from './queue/requirement-classes.ts'
import type { TaskStore } from './store/store.ts'
import type { AttemptReport } from '../process/ipc/protocol.ts'

/** From who opens and closes the durable store. */
type StoreEvent =
  /** Its tasks come back. Told again when the pool starts again before it was closed. */
  | { type: 'store.opened'; store: TaskStore }
  | { type: 'store.closed' }
  /** Something waits for a commit. */
  | { type: 'store.due' }

export type LedgerEvent =
  | { type: 'task.submitted'; record: TaskRecord }
  | { type: 'task.cancel'; record: TaskRecord; reason: CancelReason }
  | {
      type: 'attempts.reported'
      slot: SlotId
      incarnation: number
      reports: readonly AttemptReport[]
    }
  | { type: 'dispatch.due' }
  /** A worker has loaded the task file. */
  | { type: 'tasks.known'; known: KnownTasks }
  /** The pool has other slots than before, or one of them will never start again. */
  | { type: 'slots.changed' }
  /** 0 for no limit. */
  | { type: 'group.limited'; group: string; limit: number }
  | { type: 'timers.due' }
  | StoreEvent
  | WorkerToLedger
  | PoolToLedger
  | ShutdownToLedger
  | SupervisorToLedger
