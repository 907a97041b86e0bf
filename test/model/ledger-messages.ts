/** What the model's ledger may hear, and what it is made from. */
import type { DispatchHolder, ExitCause, SlotId, Verdict } from '../../machines/protocol.ts'
import type { step } from '../../src/ledger/task/task-table.ts'
import type { TaskPlan } from './ledger-state.ts'

export type LedgerMessage =
  | { type: 'task.submitted'; task: number }
  | { type: 'task.cancel'; task: number }
  | { type: 'task.sticks'; task: number }
  | { type: 'timer.passed'; task: number }
  | { type: 'deadline.passed'; task: number }
  | {
      type: 'attempt.reported'
      slot: SlotId
      incarnation: number
      task: number
      attempt: number
      verdict: Verdict | 'started'
      /** Others that have ended well, told in the same frame. */
      also?: readonly number[]
    }
  | { type: 'dispatch.due' }
  | { type: 'worker.opened' | 'worker.closed'; slot: SlotId; incarnation: number }
  | { type: 'worker.exited'; slot: SlotId; incarnation: number; cause: ExitCause }
  | SteerMessage

export type Step = typeof step

export interface LedgerPlan {
  readonly tasks: number
  readonly tasksPerWorker: number
  readonly task: TaskPlan
  /** The shipped table, or one with a planted bug. */
  readonly step?: Step
  readonly isCanonical?: boolean
}

export type SteerMessage =
  | { type: 'dispatch.hold' | 'dispatch.free'; holder: DispatchHolder }
  | { type: 'intake.open' | 'intake.drain' | 'intake.close' | 'tasks.cancelAll' | 'pool.failed' }
  /** After a defect, when no process is left: every task ends. */
  | { type: 'tasks.abandon' }
