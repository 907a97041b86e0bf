/**
 * Who tasks are run for: a group's limit, how many of its tasks run and wait, and its lines. A group
 * is kept only while it has a task; its limit is kept until it is changed.
 */
import { Group } from './queue-lists.ts'
import { MAX_GROUP_LIMITS } from '../../common/limits.ts'
import type { GroupUsage } from '../../api/status.ts'
import type { GroupConcurrency } from '../../config/order-plan.ts'
/** Groups told of in the status. */
export const MAX_GROUPS_LISTED = 100

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
  listed(): GroupUsage[] {
    const listed: GroupUsage[] = []
    for (const { name: group, queued, active, limit } of this.#groups.values()) {
      if (listed.length === MAX_GROUPS_LISTED) break
      listed.push({ group, queued, active, limit })
    }
    return listed
  }
}

export interface QueuePlan {
  /** ms of waiting that are worth a step of priority; 0: none are. */
  readonly ageingMs: number
  readonly groupConcurrency: GroupConcurrency
  nowMs(): number
}

export const NO_PLAN: QueuePlan = { ageingMs: 0, groupConcurrency: 0, nowMs: () => 0 }
