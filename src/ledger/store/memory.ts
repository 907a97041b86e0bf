/**
 * A store that outlives a ledger but not its process: for pools that need no file, and for
 * simulations, where it stands for the disk. It keeps serialized copies, as a file would.
 */
import { deserialize, serialize } from 'node:v8'
import { MemoryDeadLetters } from '../results/dead-letters.ts'
import type { TaskRecord } from '../task/record.ts'
import { MemoryResultCache } from '../results/result-cache.ts'
import {
  type Change,
  type EndedTask,
  type StoreClock,
  type StoredTask,
  type TaskStore,
} from './store.ts'
import { type Retention } from '../../config/store-schema.ts'
import { type StoreFacts } from '../../api/status.ts'
import { DEFAULT_RETENTION } from '../../common/limits.ts'
import { TaskCalendar } from './stored-task.ts'

interface MemorySettings {
  readonly durability: 'each' | 'batched'
  readonly retention: Retention
}

interface KeptEnd {
  readonly id: string
  readonly endedAt: number
  readonly body: Buffer
}

/** What lies on the disk that a MemoryStore stands for: hand it to the next store after a crash. */
export class MemoryDisk {
  readonly tasks = new Map<number, Buffer>()
  readonly ended: KeptEnd[] = []
  readonly deadLetters = new MemoryDeadLetters()
  readonly resultCache = new MemoryResultCache()
  nextSeq = 1
}

export class MemoryStore implements TaskStore {
  noted: () => void = () => {}
  readonly #disk: MemoryDisk
  readonly #settings: MemorySettings
  readonly #calendar: TaskCalendar
  readonly #accepted = new Map<TaskRecord, Buffer>()
  readonly #changes = new Map<TaskRecord, Change>()

  constructor(
    clock: StoreClock,
    disk = new MemoryDisk(),
    settings: MemorySettings = { durability: 'each', retention: DEFAULT_RETENTION },
  ) {
    this.#disk = disk
    this.#settings = settings
    this.#calendar = new TaskCalendar(clock)
  }

  get deadLetters(): MemoryDeadLetters {
    return this.#disk.deadLetters
  }

  get resultCache(): MemoryResultCache {
    return this.#disk.resultCache
  }

  get facts(): StoreFacts {
    const { tasks, ended } = this.#disk
    return {
      unended: tasks.size + this.#accepted.size,
      ended: ended.length,
      endedBytes: ended.reduce((sum, { body }) => sum + body.byteLength, 0),
    }
  }

  get isAccepting(): boolean {
    return this.#accepted.size > 0
  }

  accept(records: readonly TaskRecord[]): void {
    for (const record of records) {
      record.seq = this.#disk.nextSeq++
      const body = serialize(this.#calendar.accepted(record))
      if (this.#settings.durability === 'batched') this.#accepted.set(record, body)
      else this.#disk.tasks.set(record.seq, body)
    }
  }

  change(record: TaskRecord, change: Change): void {
    this.#changes.set(record, change)
  }

  commit(what: 'all' | 'changes' = 'all'): void {
    if (what === 'all') {
      for (const [{ seq }, body] of this.#accepted) this.#disk.tasks.set(seq, body)
      this.#accepted.clear()
    }
    for (const [record, change] of this.#changes) {
      if (this.#accepted.has(record)) continue
      this.#changes.delete(record)
      if (change === 'ended') this.#end(record)
      else this.#put(record, change)
    }
    this.#forgetOld()
  }

  *unended(): Iterable<StoredTask> {
    for (const body of this.#disk.tasks.values()) yield deserialize(body) as StoredTask
  }

  find(id: string): EndedTask | null {
    const cutoffMs = this.#calendar.now - this.#settings.retention.age
    const kept = this.#disk.ended.findLast((end) => end.id === id)
    return kept === undefined || kept.endedAt < cutoffMs
      ? null
      : (deserialize(kept.body) as EndedTask)
  }

  *remembered(): Iterable<EndedTask> {
    const { now } = this.#calendar
    for (const { body } of this.#disk.ended) {
      const ended = deserialize(body) as EndedTask
      const { ttl } = ended.options.deduplication ?? { ttl: 0 }
      if (ended.state === 'succeeded' && ttl > 0 && ended.endedAt + ttl > now) yield ended
    }
  }

  close(): void {
    this.#accepted.clear()
    this.#changes.clear()
  }

  #put(record: TaskRecord, change: Exclude<Change, 'ended'>): void {
    const body = this.#disk.tasks.get(record.seq)
    if (body === undefined) return
    const stored = deserialize(body) as StoredTask
    const changed = { ...stored, ...this.#calendar.changed(record, change) }
    this.#disk.tasks.set(record.seq, serialize(changed))
  }

  #end(record: TaskRecord): void {
    if (!this.#disk.tasks.delete(record.seq)) return
    const ended = this.#calendar.ended(record)
    const kept = { id: ended.id, endedAt: ended.endedAt, body: serialize(ended) }
    this.#disk.ended.push(kept)
  }

  #forgetOld(): void {
    const { age, bytes: most } = this.#settings.retention
    const cutoffMs = this.#calendar.now - age
    let bytes = this.facts.endedBytes
    const { ended } = this.#disk
    if (bytes <= most && (ended[0]?.endedAt ?? cutoffMs) >= cutoffMs) return
    const needed = this.#needed()
    for (const kept of ended.slice()) {
      if (bytes <= most && kept.endedAt >= cutoffMs) return
      if (needed.has(kept.id)) continue
      bytes -= kept.body.byteLength
      ended.splice(ended.indexOf(kept), 1)
    }
  }

  /** Who has a child that has not ended. */
  #needed(): Set<string> {
    const needed = new Set<string>()
    for (const { options } of this.unended()) {
      for (const parent of options.dependsOn ?? []) needed.add(parent)
    }
    return needed
  }
}
