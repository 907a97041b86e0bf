/**
 * One task as the ledger keeps it: the machine's facts, its place in the queue, its timer and its
 * seat, in one flat object (a million of them may wait). Times are whole milliseconds since the
 * pool was made, so that they stay small integers.
 */
import type { ErrorFacts, CancelReason } from '../../machines/vocabulary.ts'
import type { NormalTaskOptions } from '../task/options.ts'
import type { Compiled, TaskStateName } from './compile.ts'
import type { Family } from './dependencies.ts'
import type { Bond, Line } from './lines.ts'
import type { Seat } from './seats.ts'

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

export class TaskRecord implements Compiled {
  state: TaskStateName = 'submitted'
  attempt = 0
  released = 0
  blockers = 0
  delayMs: number
  kills = 0
  reason: CancelReason | null = null
  error: ErrorFacts | null = null

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
  line: Line | null = null
  /** While queued: its neighbours there, when it came in, and who came before whom (0: not queued). */
  previous: TaskRecord | null = null
  next: TaskRecord | null = null
  queuedAtMs = 0
  ticket = 0
  /** While queued, with an affinity. */
  bond: Bond | null = null

  seat: Seat | null = null
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
