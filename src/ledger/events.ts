/** What the ledger hears: from submitters, from children, and from the machines around it. */
import type { PoolToLedger } from '../../machines/pool-facts.ts'
import type { ShutdownToLedger } from '../../machines/shutdown.ts'
import type { SupervisorToLedger } from '../../machines/supervisor-words.ts'
import type { CancelReason, ErrorFacts, SlotId, Verdict } from '../../machines/vocabulary.ts'
import type { WorkerToLedger } from '../../machines/worker-words.ts'
import type { TaskRecord } from './record.ts'

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
  | { type: 'timers.due' }
  | WorkerToLedger
  | PoolToLedger
  | ShutdownToLedger
  | SupervisorToLedger
