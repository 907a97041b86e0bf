/**
 * One task as the ledger keeps it: the machine's facts, its place in the queue, its timer and its
 * place, in one flat object (a million of them may wait). Times are whole milliseconds since the
 * pool was made, so that they stay small integers.
 */
import type { SerializedError, CancelReason, SlotId } from '../../../machines/protocol.ts'
import type { NormalTaskOptions } from '../../config/task-option-checks.ts'
import type { Compiled, TaskStateName } from './task-table.ts'

export type TimerEvent =
  | 'delay.passed'
  | 'backoff.passed'
  | 'timeout.passed'
  | 'grace.passed'
  | 'queueTimeout.passed'

/** Who waits for the end of a task. Made only when somebody does. */
export interface Watch {
  readonly ended: Array<(record: TaskRecord) => void>
  progressed: Set<(progress: unknown) => void> | null
}

/** Where it is queued; only the queue knows more of it. */
interface QueuePlace {
  readonly priority: number
  readonly size: number
}

/** The process that has it, or had it last. */
interface TaskHolder {
  readonly slot: SlotId
  readonly incarnation: number
  readonly tasks: Set<TaskRecord>
}

export class TaskRecord implements Compiled {
  state: TaskStateName = 'submitted'
  attempt = 0
  released = 0
  blockers = 0
  delayMs: number
  kills = 0
  reason: CancelReason | null = null
  error: SerializedError | null = null

  /** Its key in a durable store; 0 without one. */
  seq = 0
  readonly id: string
  readonly name: string
  readonly payload: unknown
  readonly options: NormalTaskOptions
  value: unknown = undefined
  progress: unknown = undefined
  watch: Watch | null = null
  /** Who it waits for, and who waits for it. */
  family: Family | null = null
  /** Its value was known before it ran. */
  cached = false

  /** The line it waits in, or was taken from by the worker that has it. */
  groupQueue: QueuePlace | null = null
  /** While queued: its neighbours there, when it came in, and who came before whom (0: not queued). */
  previous: TaskRecord | null = null
  next: TaskRecord | null = null
  queuedAtMs = 0
  ticket = 0
  /** While queued, with an affinity. */
  affinityNode: AffinityNode | null = null

  worker: TaskHolder | null = null
  submittedAtMs: number
  startedAtMs = 0
  endedAtMs = 0

  /** The timer of its state, and the one of its whole life; 0 for none. */
  timerEvent: TimerEvent | null = null
  timerAtMs = 0
  deadlineAtMs = 0
  /** Where it stands in the timer heap; -1 when it is not in it. */
  heapIndex = -1

  constructor(
    id: string,
    name: string,
    payload: unknown,
    options: NormalTaskOptions,
    submittedAtMs: number,
  ) {
    this.id = id
    this.name = name
    this.payload = payload
    this.options = options
    this.delayMs = options.delay
    this.submittedAtMs = submittedAtMs
    this.deadlineAtMs = options.deadline === 0 ? 0 : submittedAtMs + options.deadline
  }

  get attempts(): number {
    return this.options.attempts
  }

  get idempotent(): boolean {
    return this.options.idempotent
  }

  get isQueued(): boolean {
    return this.ticket !== 0
  }
}

/** A parent, waiting, under way or ended: a record, or what is still known of it. */
export interface Parent {
  readonly id: string
  readonly state: TaskStateName
  readonly value: unknown
  readonly error: SerializedError | null
}

/** Who a task waits for, and who waits for it. Made only for tasks that have either. */
export interface Family {
  readonly parents: readonly Parent[]
  readonly children: Set<TaskRecord>
}

/** The tasks of one affinity within a line. */
export interface AffinityList {
  readonly key: string
  head: TaskRecord | null
  tail: TaskRecord | null
}

/** A task's place in its strand. */
export interface AffinityNode {
  readonly affinityList: AffinityList
  previous: TaskRecord | null
  next: TaskRecord | null
}
