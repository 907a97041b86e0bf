/**
 * Who tasks are run for: a group's limit, how many of its tasks run and wait, and its lines. A group
 * is kept only while it has a task; its limit is kept until it is changed.
 */
import type { Line } from './lines.ts'

/** Limits that can be set by name. */
export const MAX_GROUP_LIMITS = 100_000
/** Groups told of in the status. */
export const MAX_GROUPS_TOLD = 100

export interface GroupUsage {
  readonly group: string
  /** Its tasks that may start as soon as there is room. */
  readonly queued: number
  /** Its tasks that a worker has. */
  readonly active: number
  /** How many may be active at once, 0 for no limit. */
  readonly limit: number
}

export class Group {
  readonly name: string
  limit: number
  queued = 0
  active = 0
  /** At its limit: its lines are out of their lanes. */
  isParked = false
  /** Those with a task in them. */
  readonly lines: Line[] = []

  constructor(name: string, limit: number) {
    this.name = name
    this.limit = limit
  }

  get isFull(): boolean {
    return this.limit !== 0 && this.active >= this.limit
  }
}

/** A limit for each group, or by name. */
export type GroupConcurrency = number | Readonly<Record<string, number>>

export class Groups {
  /** Of the tasks that have no group. It has no limit. */
  readonly solo = new Group('', 0)
  readonly #groups = new Map<string, Group>()
  readonly #each: number
  readonly #limits: Map<string, number>

  constructor(concurrency: GroupConcurrency = 0) {
    const isForEach = typeof concurrency === 'number'
    this.#each = isForEach ? concurrency : 0
    this.#limits = new Map(isForEach ? [] : Object.entries(concurrency))
  }

  /** Groups with a task. */
  get size(): number {
    return this.#groups.size
  }

  all(): Iterable<Group> {
    return this.#groups.values()
  }

  find(name: string): Group | null {
    return this.#groups.get(name) ?? null
  }

  of(name: string | undefined): Group {
    if (name === undefined) return this.solo
    let group = this.#groups.get(name)
    if (group === undefined) {
      group = new Group(name, this.limitOf(name))
      this.#groups.set(name, group)
    }
    return group
  }

  forget(group: Group): void {
    if (group.queued === 0 && group.active === 0) this.#groups.delete(group.name)
  }

  limitOf(name: string): number {
    return this.#limits.get(name) ?? this.#each
  }

  /** True while one more limit can be kept. */
  canLimit(name: string): boolean {
    return this.#limits.has(name) || this.#limits.size < MAX_GROUP_LIMITS
  }

  setLimit(name: string, limit: number): Group | null {
    this.#limits.set(name, limit)
    const group = this.find(name)
    if (group !== null) group.limit = limit
    return group
  }

  usageOf(name: string): GroupUsage {
    const { queued = 0, active = 0 } = this.find(name) ?? {}
    return { group: name, queued, active, limit: this.limitOf(name) }
  }

  /** The first of those that have a task. */
  told(): GroupUsage[] {
    const told: GroupUsage[] = []
    for (const { name: group, queued, active, limit } of this.#groups.values()) {
      if (told.length === MAX_GROUPS_TOLD) break
      told.push({ group, queued, active, limit })
    }
    return told
  }
}
