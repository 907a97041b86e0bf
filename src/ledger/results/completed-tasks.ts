/**
 * What a task's end leaves behind: its outcome for those who ask by id, its key, its result for the
 * cache, its letter when it failed, its times. All of it within limits. It never moves a task.
 */
import { Deduplication } from './deduplication.ts'
import type { DeadLetters } from './dead-letters.ts'
import { Histogram } from '../../common/histogram.ts'
import type { Clock } from '../../common/clock.ts'
import { RecentEnds } from './recent-ends.ts'
import type { TaskRecord } from '../task/record.ts'
import { keyOf, type ResultCache } from './result-cache.ts'

interface CompletedTasksPorts {
  readonly clock: Pick<Clock, 'nowMs'>
  /** ms since 1970. */
  wallMs(): number
  readonly deadLetters: DeadLetters
  readonly resultCache: ResultCache
  /** What the task has left could not be kept, or not be read. */
  readonly unkept?: (record: TaskRecord, error: unknown) => void
}

export class CompletedTasks {
  readonly ended = new RecentEnds()
  readonly keys = new Deduplication()
  /** ms from submission, its own delay aside, to the first start. */
  readonly waits = new Histogram()
  /** ms of the last attempt of each task that ran. */
  readonly runs = new Histogram()
  hits = 0
  misses = 0
  readonly #ports: CompletedTasksPorts
  readonly #cacheTtlMs: number

  /** `cacheTtlMs`: of results whose task names none; 0: for as long as there is room. */
  constructor(ports: CompletedTasksPorts, cacheTtlMs: number) {
    this.#ports = ports
    this.#cacheTtlMs = cacheTtlMs
  }

  /** True when its result was kept: then it has it. Asked when it comes, and before it starts. */
  answer(record: TaskRecord): boolean {
    const { cache } = record.options
    if (cache === undefined) return false
    const hit = this.#look(record, cache.key)
    const isFirstLook = record.state === 'submitted'
    if (hit === null) {
      if (isFirstLook) this.misses++
      return false
    }
    this.hits++
    if (!isFirstLook) this.misses--
    record.value = hit.value
    record.cached = true
    return true
  }

  #look(record: TaskRecord, key: string): ReturnType<ResultCache['get']> {
    const { resultCache, wallMs } = this.#ports
    try {
      return resultCache.get(keyOf(record.name, key), wallMs())
    } catch (error) {
      this.#ports.unkept?.(record, error)
      return null
    }
  }

  noteStart(record: TaskRecord): void {
    if (record.attempt !== 1) return
    this.waits.note(record.startedAtMs - record.submittedAtMs - record.options.delay)
  }

  /** To be called once, when it has its end time. */
  noteEnd(record: TaskRecord): void {
    if (record.attempt > 0) this.runs.note(record.endedAtMs - record.startedAtMs)
    this.keys.settle(record)
    this.ended.note(record)
    try {
      if (record.state === 'failed') this.#reap(record)
      else if (record.state === 'succeeded') this.#keep(record)
    } catch (error) {
      // Its outcome is what counts, and that is told.
      this.#ports.unkept?.(record, error)
    }
  }

  #keep({ name, options: { cache }, value, cached }: TaskRecord): void {
    if (cache === undefined || cached) return
    const { resultCache, wallMs } = this.#ports
    const ttl = cache.ttl ?? this.#cacheTtlMs
    resultCache.put(keyOf(name, cache.key), value, ttl === 0 ? 0 : wallMs() + ttl)
  }

  #reap(record: TaskRecord): void {
    const { id, name, payload, options, error, attempt, submittedAtMs, endedAtMs } = record
    const failedAt = this.#ports.wallMs()
    this.#ports.deadLetters.add({
      id,
      name,
      payload,
      options: options.signal === undefined ? options : { ...options, signal: undefined },
      error: error ?? { code: 'TASK_FAILED', message: 'it failed without an error' },
      attempts: attempt,
      submittedAt: failedAt - (endedAtMs - submittedAtMs),
      failedAt,
    })
  }
}
