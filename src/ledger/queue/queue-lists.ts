/**
 * Where tasks wait: a route for each way of being served, in it a lane for each priority, in it a
 * line for each group, in it the tasks. All are linked lists, so that whatever comes or goes costs
 * the same however many wait. It never decides whose turn it is.
 */

import type { TaskRecord, AffinityList, AffinityNode } from '../task/record.ts'

/** The tasks of one group, of one priority, that the same workers can run: first in, first out. */
export class GroupQueue {
  readonly bucket: PriorityBucket
  readonly priority: number
  readonly group: Group
  head: TaskRecord | null = null
  tail: TaskRecord | null = null
  size = 0
  /** Neighbours in the lane. Lines of a group at its limit stand beside it. */
  previous: GroupQueue | null = null
  next: GroupQueue | null = null
  isLinked = false
  /** When its turn comes: lower is earlier. */
  turn = 0
  /** The next of its group's lines of this priority, round to itself: they have their turns as one. */
  sharedTurn: GroupQueue = this
  affinityLists: Map<string, AffinityList> | null = null

  constructor(bucket: PriorityBucket, group: Group) {
    this.bucket = bucket
    this.priority = bucket.priority
    this.group = group
  }

  append(record: TaskRecord): void {
    record.previous = this.tail
    record.next = null
    if (this.tail === null) this.head = record
    else this.tail.next = record
    this.tail = record
    this.#enter(record)
    if (record.options.affinity !== undefined) this.#tie(record, record.options.affinity, false)
  }

  prepend(record: TaskRecord): void {
    record.previous = null
    record.next = this.head
    if (this.head === null) this.tail = record
    else this.head.previous = record
    this.head = record
    this.#enter(record)
    if (record.options.affinity !== undefined) this.#tie(record, record.options.affinity, true)
  }

  remove(record: TaskRecord): void {
    if (record.previous === null) this.head = record.next
    else record.previous.next = record.next
    if (record.next === null) this.tail = record.previous
    else record.next.previous = record.previous
    record.previous = null
    record.next = null
    record.ticket = 0
    this.size--
    if (record.affinityNode !== null) this.#untie(record, record.affinityNode)
  }

  join(sharedTurn: GroupQueue): void {
    this.sharedTurn = sharedTurn.sharedTurn
    sharedTurn.sharedTurn = this
  }

  part(): void {
    let before = this.sharedTurn
    while (before.sharedTurn !== this) before = before.sharedTurn
    before.sharedTurn = this.sharedTurn
    this.sharedTurn = this
  }

  #enter(record: TaskRecord): void {
    record.groupQueue = this
    this.size++
  }

  #tie(record: TaskRecord, key: string, isFirst: boolean): void {
    this.affinityLists ??= new Map()
    let affinityList = this.affinityLists.get(key)
    if (affinityList === undefined) {
      affinityList = { key, head: null, tail: null }
      this.affinityLists.set(key, affinityList)
    }
    const { head, tail } = affinityList
    record.affinityNode = {
      affinityList,
      previous: isFirst ? null : tail,
      next: isFirst ? head : null,
    }
    if (isFirst || head === null) affinityList.head = record
    if (!isFirst || tail === null) affinityList.tail = record
    if (isFirst && head?.affinityNode) head.affinityNode.previous = record
    if (!isFirst && tail?.affinityNode) tail.affinityNode.next = record
  }

  #untie(record: TaskRecord, { affinityList, previous, next }: AffinityNode): void {
    if (previous?.affinityNode) previous.affinityNode.next = next
    else affinityList.head = next
    if (next?.affinityNode) next.affinityNode.previous = previous
    else affinityList.tail = previous
    record.affinityNode = null
    if (affinityList.head !== null) return
    this.affinityLists?.delete(affinityList.key)
    if (this.affinityLists?.size === 0) this.affinityLists = null
  }
}

/** The lines of one priority in a route, in the order of their turns. */
export class PriorityBucket {
  readonly demand: RequirementClass
  readonly priority: number
  first: GroupQueue | null = null
  last: GroupQueue | null = null
  /** The line of tasks without a group, kept for the next of them. */
  solo: GroupQueue | null = null

  constructor(demand: RequirementClass, priority: number) {
    this.demand = demand
    this.priority = priority
  }

  append(groupQueue: GroupQueue): void {
    groupQueue.previous = this.last
    groupQueue.next = null
    if (this.last === null) this.first = groupQueue
    else this.last.next = groupQueue
    this.last = groupQueue
    groupQueue.isLinked = true
  }

  toLast(groupQueue: GroupQueue): void {
    if (groupQueue === this.last) return
    this.unlink(groupQueue)
    this.append(groupQueue)
  }

  prepend(groupQueue: GroupQueue): void {
    groupQueue.previous = null
    groupQueue.next = this.first
    if (this.first === null) this.last = groupQueue
    else this.first.previous = groupQueue
    this.first = groupQueue
    groupQueue.isLinked = true
  }

  unlink(groupQueue: GroupQueue): void {
    if (groupQueue.previous === null) this.first = groupQueue.next
    else groupQueue.previous.next = groupQueue.next
    if (groupQueue.next === null) this.last = groupQueue.previous
    else groupQueue.next.previous = groupQueue.previous
    groupQueue.previous = null
    groupQueue.next = null
    groupQueue.isLinked = false
  }
}

export class Group {
  readonly name: string
  limit: number
  queued = 0
  active = 0
  /** At its limit: its lines are out of their lanes. */
  isSuspended = false
  /** Those with a task in them. */
  readonly groupQueues: GroupQueue[] = []

  constructor(name: string, limit: number) {
    this.name = name
    this.limit = limit
  }

  get isFull(): boolean {
    return this.limit !== 0 && this.active >= this.limit
  }
}

/** What a worker offers. */
export interface WorkerOffer {
  readonly session: string
  readonly capabilities: ReadonlySet<string>
}

export class RequirementClass {
  readonly key: string
  /** Null: any. */
  readonly session: string | null
  readonly requires: readonly string[]
  /** By priority; made when first needed. */
  readonly buckets: (PriorityBucket | undefined)[] = []
  /** Lanes with a line in its turn, by priority. */
  readonly open: PriorityBucket[] = []
  /** Tasks in their turn: those of groups at their limit aside. */
  waiting = 0
  /** Tasks in all. */
  size = 0
  /** Why no worker can ever run its tasks; null when one can, undefined before that was asked. */
  refusal: string | null | undefined = undefined

  constructor(key: string, session: string | null, requires: readonly string[]) {
    this.key = key
    this.session = session
    this.requires = requires
  }

  get isPlain(): boolean {
    return this.session === null && this.requires.length === 0
  }

  /** Whether such a worker can run its tasks. */
  fits({ session, capabilities }: WorkerOffer): boolean {
    if (this.session !== null && this.session !== session) return false
    if (this.requires.length === 0) return true
    return this.requires.every((capability) => capabilities.has(capability))
  }

  bucketOf(priority: number): PriorityBucket {
    let bucket = this.buckets[priority]
    if (bucket === undefined) {
      bucket = new PriorityBucket(this, priority)
      this.buckets[priority] = bucket
    }
    return bucket
  }
}
