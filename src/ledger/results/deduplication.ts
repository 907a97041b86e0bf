/**
 * Which task a key stands for: one that has not ended, or one that succeeded not too long ago. A
 * task that failed or was cancelled never stands in the way of the next.
 */
import { weigh } from '../../values/snapshot.ts'
import { BoundedMap } from '../../common/bounded-map.ts'
import type { TaskRecord } from '../task/record.ts'
import { keyOf } from './result-cache.ts'

/** Successes that are remembered by their key. */
const MAX_DEDUPLICATION_KEYS = 100_000
/** Their payloads and results together, estimated. */
const MAX_DEDUPLICATION_BYTES = 64 * 1024 * 1024
const SUCCESS_BYTES = 1_024

export class Deduplication {
  readonly #unended = new Map<string, TaskRecord>()
  readonly #succeeded = new BoundedMap<{ record: TaskRecord; expiresAtMs: number }>({
    maxEntries: MAX_DEDUPLICATION_KEYS,
    maxBytes: MAX_DEDUPLICATION_BYTES,
  })

  /** The task that stands for the key now, if there is one. */
  find(name: string, key: string, nowMs: number): TaskRecord | null {
    const full = keyOf(name, key)
    const unended = this.#unended.get(full)
    if (unended !== undefined && !isBeingStopped(unended)) return unended
    const kept = this.#succeeded.get(full)
    return kept !== undefined && nowMs < kept.expiresAtMs ? kept.record : null
  }

  admit(record: TaskRecord): void {
    const { deduplication } = record.options
    if (deduplication !== undefined) {
      this.#unended.set(keyOf(record.name, deduplication.key), record)
    }
  }

  settle(record: TaskRecord): void {
    const { deduplication } = record.options
    if (deduplication === undefined) return
    const { key, ttl } = deduplication
    const full = keyOf(record.name, key)
    if (this.#unended.get(full) === record) this.#unended.delete(full)
    if (record.state !== 'succeeded' || ttl === 0) return
    const { payload, value } = record
    const bytes = SUCCESS_BYTES + weigh([payload, value], MAX_DEDUPLICATION_BYTES)
    this.#succeeded.put(full, { record, expiresAtMs: record.endedAtMs + ttl }, bytes)
  }
}

/** For good, unlike one that ran past its timeout and may be tried again. */
function isBeingStopped({ state, reason }: TaskRecord): boolean {
  return state === 'cancelling' && reason !== 'timedOut'
}
