/**
 * The tasks that may start, in their order: by priority with ageing, between groups by turns, first
 * in first out within one. What a round costs depends on how many routes and priorities have
 * something in them, never on how many tasks or groups wait: a group at its limit stands aside.
 */
import { rankOf } from '../../../machines/order-policy.ts'
import { Groups, type QueuePlan, NO_PLAN } from './groups.ts'
import {
  type Group,
  type PriorityBucket,
  GroupQueue,
  type RequirementClass,
} from './queue-lists.ts'
import type { TaskRecord } from '../task/record.ts'
import { type KnownTasks, RequirementClasses } from './requirement-classes.ts'

const PRIORITIES = 101

export class Queue {
  readonly groups: Groups
  readonly demands = new RequirementClasses()
  readonly #ageingMs: number
  readonly #nowMs: () => number
  /** Routes with a task in its turn. */
  readonly #open: RequirementClass[] = []
  /** By priority, the line whose turn it is; used while one is looked for. */
  readonly #turns: (GroupQueue | null)[] = Array.from({ length: PRIORITIES }, () => null)
  /** Counts turns and tasks, both from the back and, below zero, to the front. */
  #last = 0
  #first = 0
  #size = 0

  constructor({ ageingMs, groupConcurrency, nowMs }: QueuePlan = NO_PLAN) {
    this.groups = new Groups(groupConcurrency)
    this.#ageingMs = ageingMs
    this.#nowMs = nowMs
  }

  get size(): number {
    return this.#size
  }

  /** Routes with a task in its turn. */
  get open(): readonly RequirementClass[] {
    return this.#open
  }

  /** They, those first whose next task has waited longest by rank. */
  inTurn(): RequirementClass[] {
    const rank = (demand: RequirementClass) => this.#rankOf(this.#nextOf(demand) as GroupQueue)
    return [...this.#open].sort((a, b) => rank(a) - rank(b))
  }

  pushBack(record: TaskRecord): void {
    record.queuedAtMs = this.#nowMs()
    record.ticket = ++this.#last
    this.#enter(record)
  }

  /** For tasks that had their turn and lost it through no fault of their own: they have it back. */
  pushFront(record: TaskRecord): void {
    record.ticket = --this.#first
    const groupQueue = this.#groupQueueOf(record)
    groupQueue.prepend(record)
    this.#count(groupQueue)
    if (groupQueue.group.isSuspended) return
    groupQueue.turn = --this.#first
    if (!groupQueue.isLinked) return this.#link(groupQueue, 'prepend')
    this.#addWaiting(groupQueue.bucket.demand, 1)
    groupQueue.bucket.unlink(groupQueue)
    groupQueue.bucket.prepend(groupQueue)
  }

  /** Takes a task out, wherever it stands. Nothing happens when it is not in. */
  remove(record: TaskRecord): void {
    if (!record.isQueued) return
    const groupQueue = record.groupQueue as GroupQueue
    const { group, bucket } = groupQueue
    groupQueue.remove(record)
    group.queued--
    bucket.demand.size--
    this.#size--
    if (groupQueue.isLinked) this.#addWaiting(bucket.demand, -1)
    if (groupQueue.size > 0) return
    if (groupQueue.isLinked) this.#unlink(groupQueue)
    groupQueue.part()
    group.groupQueues.splice(group.groupQueues.indexOf(groupQueue), 1)
    if (group !== this.groups.solo) this.groups.forget(group)
    if (bucket.demand.size === 0) this.demands.forget(bucket.demand)
  }

  /** The task whose turn it is, whoever could run it, left where it is. */
  peek(): TaskRecord | null {
    return this.next(() => true)?.head ?? null
  }

  /** The line whose turn it is, among the routes that somebody has room for. */
  next(hasRoom: (demand: RequirementClass) => boolean): GroupQueue | null {
    if (this.#open.length === 1) {
      const demand = this.#open[0] as RequirementClass
      return hasRoom(demand) ? this.#nextOf(demand) : null
    }
    const demands = this.#open.filter(hasRoom)
    for (const demand of demands)
      for (const { first } of demand.open) this.#offer(first as GroupQueue)
    for (const demand of demands)
      for (const { first } of demand.open) this.#yield(first as GroupQueue)
    let best: GroupQueue | null = null
    for (const demand of demands) {
      for (const { priority } of demand.open) {
        best = this.#earlier(best, this.#turns[priority] as GroupQueue | null)
        this.#turns[priority] = null
      }
    }
    return best
  }

  /** A worker has it from now on: its group has had its turn at this priority. It is still in. */
  take(record: TaskRecord): void {
    const own = record.groupQueue as GroupQueue
    const { group } = own
    if (group !== this.groups.solo) group.active++
    if (group.isFull) return this.#suspend(group)
    const turn = ++this.#last
    let groupQueue = own
    do {
      groupQueue.turn = turn
      groupQueue.bucket.toLast(groupQueue)
      groupQueue = groupQueue.sharedTurn
    } while (groupQueue !== own)
  }

  /** No worker has it any more. True when others of its group may start now. */
  leave(record: TaskRecord): boolean {
    const { group } = record.groupQueue as GroupQueue
    record.groupQueue = null
    if (group === this.groups.solo) return false
    const wasSuspended = group.isSuspended
    group.active--
    this.#unpark(group)
    this.groups.forget(group)
    return wasSuspended && !group.isSuspended
  }

  setLimit(name: string, limit: number): void {
    const group = this.groups.setLimit(name, limit)
    if (group === null) return
    if (group.isFull) this.#suspend(group)
    else this.#unpark(group)
  }

  /** What the task file declares: tasks may be on other routes now. They keep their order. */
  learn(known: KnownTasks): void {
    if (!this.demands.learn(known)) return
    const groupQueues = [...this.#groupQueues()].toSorted((a, b) => a.turn - b.turn)
    for (const groupQueue of groupQueues) {
      for (let record = groupQueue.head; record !== null; ) {
        const { next, ticket } = record
        if (this.demands.of(record) !== groupQueue.bucket.demand) {
          this.remove(record)
          record.ticket = ticket
          this.#enter(record)
        }
        record = next
      }
    }
  }

  /** The tasks on such routes. */
  tasksOn(isMeant: (demand: RequirementClass) => boolean): TaskRecord[] {
    const tasks: TaskRecord[] = []
    for (const groupQueue of this.#groupQueues()) {
      if (!isMeant(groupQueue.bucket.demand)) continue
      for (let record = groupQueue.head; record !== null; record = record.next) tasks.push(record)
    }
    return tasks
  }

  *#groupQueues(): Generator<GroupQueue> {
    yield* this.groups.solo.groupQueues
    for (const group of this.groups.all()) yield* group.groupQueues
  }

  #enter(record: TaskRecord): void {
    const groupQueue = this.#groupQueueOf(record)
    groupQueue.append(record)
    this.#count(groupQueue)
    if (groupQueue.isLinked) this.#addWaiting(groupQueue.bucket.demand, 1)
    else if (!groupQueue.group.isSuspended) {
      groupQueue.turn = ++this.#last
      this.#link(groupQueue, 'append')
    }
  }

  #count({ group, bucket }: GroupQueue): void {
    group.queued++
    bucket.demand.size++
    this.#size++
  }

  #groupQueueOf(record: TaskRecord): GroupQueue {
    const bucket = this.demands.of(record).bucketOf(record.options.priority)
    const group = this.groups.of(record.options.group)
    const isSolo = group === this.groups.solo
    const known = isSolo ? bucket.solo : groupQueueIn(group, bucket)
    const groupQueue = known ?? new GroupQueue(bucket, group)
    if (isSolo) bucket.solo = groupQueue
    if (groupQueue.size === 0) begin(groupQueue)
    return groupQueue
  }

  /** The earliest of a route: by rank between its lanes, by turns within one. */
  #nextOf({ open }: RequirementClass): GroupQueue | null {
    if (open.length === 1) return (open[0] as PriorityBucket).first
    let best: GroupQueue | null = null
    for (const { first } of open) best = this.#earlier(best, first)
    return best
  }

  #earlier(a: GroupQueue | null, b: GroupQueue | null): GroupQueue | null {
    if (a === null || b === null) return a ?? b
    const difference = this.#rankOf(a) - this.#rankOf(b)
    return difference < 0 || (difference === 0 && a.bucket.priority < b.bucket.priority) ? a : b
  }

  #rankOf({ head, bucket }: GroupQueue): number {
    return rankOf((head as TaskRecord).queuedAtMs, bucket.priority, this.#ageingMs)
  }

  /** Of one priority, the group whose turn it is. */
  #offer(groupQueue: GroupQueue): void {
    const other = this.#turns[groupQueue.bucket.priority] ?? null
    if (other === null || groupQueue.turn < other.turn)
      this.#turns[groupQueue.bucket.priority] = groupQueue
  }

  /** Of one group and priority, the task that came first. */
  #yield(groupQueue: GroupQueue): void {
    const other = this.#turns[groupQueue.bucket.priority] as GroupQueue
    if (groupQueue.group !== other.group) return
    const [own, theirs] = [groupQueue.head as TaskRecord, other.head as TaskRecord]
    if (own.ticket < theirs.ticket) this.#turns[groupQueue.bucket.priority] = groupQueue
  }

  #suspend(group: Group): void {
    if (group.isSuspended) return
    group.isSuspended = true
    for (const groupQueue of group.groupQueues) {
      this.#addWaiting(groupQueue.bucket.demand, -groupQueue.size)
      this.#unlink(groupQueue)
    }
  }

  #unpark(group: Group): void {
    if (!group.isSuspended || group.isFull) return
    group.isSuspended = false
    const turn = ++this.#last
    for (const groupQueue of group.groupQueues) {
      groupQueue.turn = turn
      this.#link(groupQueue, 'append')
    }
  }

  #link(groupQueue: GroupQueue, where: 'append' | 'prepend'): void {
    const { bucket } = groupQueue
    const wasEmpty = bucket.first === null
    bucket[where](groupQueue)
    this.#addWaiting(bucket.demand, groupQueue.size)
    if (!wasEmpty) return
    const { open } = bucket.demand
    const index = open.findIndex(({ priority }) => priority > bucket.priority)
    open.splice(index === -1 ? open.length : index, 0, bucket)
  }

  #unlink(groupQueue: GroupQueue): void {
    const { bucket } = groupQueue
    bucket.unlink(groupQueue)
    if (bucket.first === null) bucket.demand.open.splice(bucket.demand.open.indexOf(bucket), 1)
  }

  #addWaiting(demand: RequirementClass, by: number): void {
    const before = demand.waiting
    demand.waiting += by
    if (before === 0 && by > 0) this.#open.push(demand)
    else if (demand.waiting === 0 && by < 0) this.#open.splice(this.#open.indexOf(demand), 1)
  }
}

function groupQueueIn(group: Group, bucket: PriorityBucket): GroupQueue | undefined {
  return group.groupQueues.find((groupQueue) => groupQueue.bucket === bucket)
}

/** It has its first task. */
function begin(groupQueue: GroupQueue): void {
  const { groupQueues } = groupQueue.group
  const sharedTurn = groupQueues.find(({ priority }) => priority === groupQueue.priority)
  if (sharedTurn !== undefined) groupQueue.join(sharedTurn)
  groupQueues.push(groupQueue)
}
