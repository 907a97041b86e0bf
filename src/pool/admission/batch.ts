/**
 * Who a new task depends on. Tasks that are handed in together may name each other, so only among
 * them can a circle arise: every other task that one may name was there before it.
 */
import type { Parent, TaskRecord } from '../../ledger/task/record.ts'
import { keyOf } from '../../ledger/results/result-cache.ts'
import { refuse } from '../../common/checks.ts'
import type { NormalTaskOptions } from '../../config/task-option-checks.ts'

interface Draft {
  readonly id: string
  readonly name: string
  readonly options: NormalTaskOptions
}

/** Tasks that are handed in together, by what the others may call them. */
export class Batch {
  readonly #byId = new Map<string, TaskRecord>()
  readonly #byKey = new Map<string, TaskRecord>()

  /** The one before it that stands for its key. */
  find({ name, options: { deduplication } }: Draft): TaskRecord | null {
    if (deduplication === undefined) return null
    return this.#byKey.get(keyOf(name, deduplication.key)) ?? null
  }

  /** @throws CONFIG_INVALID when its id was used before. */
  add({ id, name, options: { deduplication } }: Draft, record: TaskRecord): void {
    if (this.#byId.has(id)) refuse('id', `is used twice: ${id}`)
    this.#byId.set(id, record)
    if (deduplication !== undefined) this.#byKey.set(keyOf(name, deduplication.key), record)
  }

  parent(id: string): Parent | undefined {
    return this.#byId.get(id)
  }
}

/**
 * Gives the record its parents. @throws CONFIG_INVALID when it names itself, or a task that is not
 * known.
 */
export function relate(record: TaskRecord, find: (id: string) => Parent | undefined): void {
  const { dependsOn } = record.options
  if (dependsOn === undefined || dependsOn.length === 0) return
  const parents = [...new Set(dependsOn)].map((id) => {
    if (id === record.id) return refuse('dependsOn', `names the task itself, ${id}`)
    return find(id) ?? refuse('dependsOn', `names ${id}, and no such task is known`)
  })
  record.family = { parents, children: new Set() }
}

/**
 * The tasks of one circle, in the order in which they wait for each other, the first again at the
 * end; null when there is none. It needs no stack, however long the chains are.
 */
export function circle(records: readonly TaskRecord[]): TaskRecord[] | null {
  const batch = new Set(records)
  const parentsOf = (record: TaskRecord) =>
    (record.family?.parents ?? []).filter((parent) => batch.has(parent as TaskRecord))
  const waitsFor = new Map(records.map((record) => [record, parentsOf(record).length]))
  const children = new Map<unknown, TaskRecord[]>()
  for (const record of records) {
    for (const parent of parentsOf(record)) {
      const own = children.get(parent) ?? []
      own.push(record)
      children.set(parent, own)
    }
  }
  const free = records.filter((record) => waitsFor.get(record) === 0)
  for (const record of free) {
    waitsFor.delete(record)
    for (const child of children.get(record) ?? []) {
      const left = (waitsFor.get(child) as number) - 1
      waitsFor.set(child, left)
      if (left === 0) free.push(child)
    }
  }
  const [first] = waitsFor.keys()
  if (first === undefined) return null
  return around(first, (record) =>
    (parentsOf(record) as TaskRecord[]).find((parent) => waitsFor.has(parent)),
  )
}

/** Goes on from task to task until one comes again. */
function around(
  first: TaskRecord,
  next: (record: TaskRecord) => TaskRecord | undefined,
): TaskRecord[] {
  const path: TaskRecord[] = []
  const seen = new Map<TaskRecord, number>()
  for (let at: TaskRecord | undefined = first; at !== undefined; at = next(at)) {
    const start = seen.get(at)
    if (start !== undefined) return [...path.slice(start), at]
    seen.set(at, path.length)
    path.push(at)
  }
  return path
}
