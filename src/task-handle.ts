/**
 * What `submit` gives back: one task, seen and steered from outside. Its promises are made when
 * they are asked for.
 */
import type { CancelReason } from '../machines/vocabulary.ts'
import type { TaskRecord, Watch } from './ledger/record.ts'
import type { TaskHandle, TaskOutcome, TaskStatus } from './pool-types.ts'
import { hasEnded, outcomeOf, statusOf } from './task-outcome.ts'

export function watchOf(record: TaskRecord): Watch {
  record.watch ??= { ended: [], progressed: new Set() }
  return record.watch
}

/** Resolves with the value, rejects with the outcome's error. */
export function resultOf(record: TaskRecord): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      if (record.state === 'succeeded') return resolve(record.value)
      const outcome = outcomeOf(record)
      if (outcome.status !== 'succeeded') reject(outcome.error)
    }
    if (hasEnded(record)) settle()
    else watchOf(record).ended.push(settle)
  })
}

export class Handle implements TaskHandle {
  readonly #record: TaskRecord
  readonly #cancel: (record: TaskRecord, reason: CancelReason) => void

  constructor(record: TaskRecord, cancel: (record: TaskRecord, reason: CancelReason) => void) {
    this.#record = record
    this.#cancel = cancel
  }

  get id(): string {
    return this.#record.id
  }

  status(): TaskStatus {
    return statusOf(this.#record)
  }

  cancel(): boolean {
    if (hasEnded(this.#record)) return false
    this.#cancel(this.#record, 'requested')
    return true
  }

  async wait(ms: number): Promise<TaskOutcome | null> {
    const { promise, resolve } = Promise.withResolvers<null>()
    const timer = setTimeout(resolve, ms, null)
    try {
      return await Promise.race([this.outcome(), promise])
    } finally {
      clearTimeout(timer)
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

  onProgress(listener: (progress: unknown) => void): () => void {
    const { progressed } = watchOf(this.#record)
    progressed.add(listener)
    return () => void progressed.delete(listener)
  }
}
