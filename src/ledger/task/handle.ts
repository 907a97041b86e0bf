/**
 * What `submit` gives back: one task, seen and steered from outside. Its promises are made when
 * they are asked for.
 */
import type { CancelReason } from '../../../machines/protocol.ts'
import type { Timers } from '../../common/clock.ts'
import type { TaskRecord, Watch } from './record.ts'
import type { TaskHandle, TaskOutcome, TaskStatus } from '../../api/task.ts'
import { hasEnded, outcomeOf, statusOf } from './outcome.ts'
import { copyOf } from '../../values/snapshot.ts'

export function watchOf(record: TaskRecord): Watch {
  record.watch ??= { ended: [], progressed: null }
  return record.watch
}

/** Resolves with the value, rejects with the outcome's error. */
export function resultOf(record: TaskRecord): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      if (record.state === 'succeeded') return resolve(copyOf(record.value))
      const outcome = outcomeOf(record)
      if (outcome.status !== 'succeeded') reject(outcome.error)
    }
    if (hasEnded(record)) settle()
    else watchOf(record).ended.push(settle)
  })
}

/** What a handle can do about its task, and the timers that `wait` waits by. */
export interface HandleActions {
  cancel(record: TaskRecord, reason: CancelReason): void
  stored(record: TaskRecord): Promise<void>
  readonly timers: Timers
}

export class Handle implements TaskHandle {
  readonly #record: TaskRecord
  readonly #actions: HandleActions

  constructor(record: TaskRecord, actions: HandleActions) {
    this.#record = record
    this.#actions = actions
  }

  get id(): string {
    return this.#record.id
  }

  status(): TaskStatus {
    return statusOf(this.#record)
  }

  cancel(): boolean {
    if (hasEnded(this.#record)) return false
    this.#actions.cancel(this.#record, 'requested')
    return true
  }

  async wait(ms: number): Promise<TaskOutcome | null> {
    const { promise, resolve } = Promise.withResolvers<null>()
    const { timers } = this.#actions
    const timer = timers.setTimeout(() => resolve(null), ms)
    try {
      return await Promise.race([this.outcome(), promise])
    } finally {
      timers.clearTimeout(timer)
    }
  }

  outcome(): Promise<TaskOutcome> {
    const record = this.#record
    if (hasEnded(record)) return Promise.resolve(outcomeOf(record))
    return new Promise((resolve) => {
      watchOf(record).ended.push(() => resolve(outcomeOf(record)))
    })
  }

  result(): Promise<unknown> {
    return resultOf(this.#record)
  }

  stored(): Promise<void> {
    return this.#actions.stored(this.#record)
  }

  onProgress(listener: (progress: unknown) => void): () => void {
    const watch = watchOf(this.#record)
    watch.progressed ??= new Set()
    const { progressed } = watch
    progressed.add(listener)
    return () => void progressed.delete(listener)
  }
}
