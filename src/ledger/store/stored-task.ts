/**
 * Between a record and what a store keeps of it: the ledger's clock begins with the pool, a store's
 * with 1970. It copies facts and never moves a task.
 */
import { DEFAULT_TASK_OPTIONS } from '../../config/task-options.ts'
import { type NormalTaskOptions } from '../../config/task-option-checks.ts'
import { TaskRecord } from '../task/record.ts'
import { WorkerCapacity } from '../dispatch/worker-capacity.ts'
import type { Change, EndedTask, StoreClock, StoredTask } from './store.ts'

/** Where a task ran says nothing any more of what may run there. */
const NOWHERE = { session: '', capabilities: new Set<string>() }

export class TaskCalendar {
  readonly #epochMs: number
  readonly #clock: StoreClock

  constructor(clock: StoreClock) {
    this.#clock = clock
    this.#epochMs = clock.wallMs() - clock.nowMs()
  }

  get now(): number {
    return this.#clock.nowMs() + this.#epochMs
  }

  /** ms since 1970, for a time of the ledger's clock. */
  wall(atMs: number): number {
    return atMs + this.#epochMs
  }

  /** When a task that waits may start; 0 for at once. */
  due({ state, timerAtMs }: TaskRecord): number {
    const isTimed = state === 'delayed' || state === 'backingOff'
    return isTimed && timerAtMs !== 0 ? this.wall(timerAtMs) : 0
  }

  accepted(record: TaskRecord): StoredTask {
    const { seq, id, name, payload, options, submittedAtMs } = record
    return {
      seq,
      id,
      name,
      payload,
      options: withoutSignal(options),
      submittedAt: this.wall(submittedAtMs),
      attempt: 0,
      released: 0,
      kills: 0,
      isRunning: false,
      error: null,
      dueAt: firstDue(options, this.wall(submittedAtMs)),
    }
  }

  changed(record: TaskRecord, change: Exclude<Change, 'ended'>): StartFacts {
    return {
      attempt: record.attempt,
      released: record.released + (change === 'kept' ? 1 : 0),
      kills: record.kills,
      isRunning: change === 'started',
      dueAt: this.due(record),
      error: record.error,
    }
  }

  ended(record: TaskRecord): EndedTask {
    const { id, name, payload, options, value, error, attempt } = record
    return {
      id,
      name,
      payload,
      options: withoutSignal(options),
      value,
      error,
      attempt,
      state: record.state as EndedTask['state'],
      submittedAt: this.wall(record.submittedAtMs),
      startedAt: attempt === 0 ? 0 : this.wall(record.startedAtMs),
      endedAt: this.wall(record.endedAtMs),
      worker: record.worker?.slot ?? null,
    }
  }

  /** A record of this pool for a task that another has left, about to be accepted again. */
  record(stored: StoredTask): TaskRecord {
    const { id, name, payload, options } = stored
    const submittedAtMs = stored.submittedAt - this.#epochMs
    const record = new TaskRecord(id, name, payload, options, submittedAtMs)
    record.seq = stored.seq
    record.attempt = stored.attempt
    record.released = stored.released
    record.kills = stored.kills
    record.error = stored.error
    // A child's delay begins when its parents have ended, and nobody knows whether it had.
    const isChild = stored.attempt === 0 && options.dependsOn !== undefined
    if (!isChild) record.delayMs = stored.dueAt === 0 ? 0 : Math.max(stored.dueAt - this.now, 0)
    // A deadline that has passed is one that is due at once; 0 would be none.
    if (options.deadline !== 0) record.deadlineAtMs = Math.max(submittedAtMs + options.deadline, 1)
    if (stored.isRunning) record.state = 'running'
    return record
  }

  /** The record of a task that ended, perhaps in another pool. */
  endedRecord(ended: EndedTask): TaskRecord {
    const { id, name, payload, options } = ended
    const record = new TaskRecord(id, name, payload, options, ended.submittedAt - this.#epochMs)
    record.state = ended.state
    record.attempt = ended.attempt
    record.value = ended.value
    record.error = ended.error
    record.cached = ended.state === 'succeeded' && ended.attempt === 0
    record.startedAtMs = ended.startedAt - this.#epochMs
    record.endedAtMs = ended.endedAt - this.#epochMs
    if (ended.worker !== null) record.worker = new WorkerCapacity(ended.worker, 0, 0, NOWHERE, 0)
    return record
  }
}

/** When a task that was never started may start, in ms since 1970; 0 for at once. */
export function firstDue({ delay }: NormalTaskOptions, submittedAt: number): number {
  return delay === 0 ? 0 : submittedAt + delay
}

/** What changes of a task while it has not ended. */
type StartFacts = Pick<
  StoredTask,
  'attempt' | 'released' | 'kills' | 'isRunning' | 'dueAt' | 'error'
>

function withoutSignal(options: NormalTaskOptions): NormalTaskOptions {
  return options.signal === undefined ? options : { ...options, signal: undefined }
}

/** Only what differs from Troupe's own defaults: what a later version adds gets its default there. */
export function toStoredOptions(options: NormalTaskOptions): Partial<NormalTaskOptions> | null {
  let stored: Record<string, unknown> | null = null
  for (const key in options) {
    if (key === 'signal' || key === 'id') continue
    const value = options[key as keyof NormalTaskOptions]
    if (value === DEFAULT_TASK_OPTIONS[key as keyof NormalTaskOptions]) continue
    stored ??= {}
    stored[key] = value
  }
  return stored
}

export function fromStoredOptions(stored: Partial<NormalTaskOptions> | null): NormalTaskOptions {
  return stored === null ? DEFAULT_TASK_OPTIONS : { ...DEFAULT_TASK_OPTIONS, ...stored }
}
