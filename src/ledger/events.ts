/** What the ledger hears: from submitters, from children, and from the machines around it. */
import type { PoolToLedger } from '../../machines/pool-facts.ts'
import type { ShutdownToLedger } from '../../machines/shutdown.ts'
import type { SupervisorToLedger } from '../../machines/supervisor-words.ts'
import type { CancelReason, ErrorFacts, SlotId, Verdict } from '../../machines/vocabulary.ts'
import type { WorkerToLedger } from '../../machines/worker-words.ts'
import type { TaskRecord } from './record.ts'
import type { KnownTasks } from './routes.ts'
import type { TaskStore } from './store.ts'

/** What a child said of an attempt. */
export type AttemptReport =
  | { readonly kind: 'started'; readonly taskId: string; readonly attempt: number }
  | {
      readonly kind: 'ended'
      readonly taskId: string
      readonly attempt: number
      readonly verdict: Verdict
      readonly value?: unknown
      readonly error?: ErrorFacts
    }
  | {
      readonly kind: 'progress'
      readonly taskId: string
      readonly attempt: number
      readonly progress: unknown
    }

/** From who opens and closes the durable store. */
export type StoreEvent =
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
