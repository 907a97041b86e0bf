/**
 * The tasks that may start, in their order: by priority with ageing, between groups by turns, first
 * in first out within one. What a round costs depends on how many routes and priorities have
 * something in them, never on how many tasks or groups wait: a group at its limit stands aside.
 */
import { rankOf } from '../../machines/order-policy.ts'
import { type Group, type GroupConcurrency, Groups } from './groups.ts'
import { type Lane, Line } from './lines.ts'
import type { TaskRecord } from './record.ts'
import { type KnownTasks, type Route, Routes } from './routes.ts'

const PRIORITIES = 101

export interface QueuePlan {
  /** ms of waiting that are worth a step of priority; 0: none are. */
  readonly ageingMs: number
  readonly groupConcurrency: GroupConcurrency
  nowMs(): number
}
const NO_PLAN: QueuePlan = { ageingMs: 0, groupConcurrency: 0, nowMs: () => 0 }

export class Queue {
  readonly groups: Groups
  readonly routes = new Routes()
  readonly #ageingMs: number
  readonly #nowMs: () => number
  /** Routes with a task in its turn. */
  readonly #open: Route[] = []
  /** By priority, the line whose turn it is; used while one is looked for. */
  readonly #turns: (Line | null)[] = Array.from({ length: PRIORITIES }, () => null)
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
  get open(): readonly Route[] {
    return this.#open
  }

  /** They, those first whose next task has waited longest by rank. */
  inTurn(): Route[] {
    const rank = (route: Route) => this.#rankOf(this.#nextOf(route) as Line)
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
    const line = this.#lineOf(record)
    line.prepend(record)
    this.#count(line)
    if (line.group.isParked) return
    line.turn = --this.#first
    if (!line.isLinked) return this.#link(line, 'prepend')
    this.#addWaiting(line.lane.route, 1)
    line.lane.unlink(line)
    line.lane.prepend(line)
  }

  /** Takes a task out, wherever it stands. Nothing happens when it is not in. */
  remove(record: TaskRecord): void {
    if (!record.isQueued) return
    const line = record.line as Line
    const { group, lane } = line
    line.remove(record)
    group.queued--
    lane.route.size--
    this.#size--
    if (line.isLinked) this.#addWaiting(lane.route, -1)
    if (line.size > 0) return
    if (line.isLinked) this.#unlink(line)
    line.part()
    group.lines.splice(group.lines.indexOf(line), 1)
    if (group !== this.groups.solo) this.groups.forget(group)
    if (lane.route.size === 0) this.routes.forget(lane.route)
  }

  /** The task whose turn it is, whoever could run it, left where it is. */
  peek(): TaskRecord | null {
    return this.next(() => true)?.head ?? null
  }

  /** The line whose turn it is, among the routes that somebody has room for. */
  next(hasRoom: (route: Route) => boolean): Line | null {
    if (this.#open.length === 1) {
      const route = this.#open[0] as Route
      return hasRoom(route) ? this.#nextOf(route) : null
    }
    const routes = this.#open.filter(hasRoom)
    for (const route of routes) for (const { first } of route.open) this.#offer(first as Line)
    for (const route of routes) for (const { first } of route.open) this.#yield(first as Line)
    let best: Line | null = null
    for (const route of routes) {
      for (const { priority } of route.open) {
        best = this.#earlier(best, this.#turns[priority] as Line | null)
        this.#turns[priority] = null
      }
    }
    return best
  }

  /** A worker has it from now on: its group has had its turn at this priority. It is still in. */
  take(record: TaskRecord): void {
    const own = record.line as Line
    const { group } = own
    if (group !== this.groups.solo) group.active++
    if (group.isFull) return this.#park(group)
    const turn = ++this.#last
    let line = own
    do {
      line.turn = turn
      line.lane.toLast(line)
      line = line.twin
    } while (line !== own)
  }

  /** No worker has it any more. True when others of its group may start now. */
  leave(record: TaskRecord): boolean {
    const { group } = record.line as Line
    record.line = null
    if (group === this.groups.solo) return false
    const wasParked = group.isParked
    group.active--
    this.#unpark(group)
    this.groups.forget(group)
    return wasParked && !group.isParked
  }

  setLimit(name: string, limit: number): void {
    const group = this.groups.setLimit(name, limit)
    if (group === null) return
    if (group.isFull) this.#park(group)
    else this.#unpark(group)
  }

  /** What the task file declares: tasks may be on other routes now. They keep their order. */
  learn(known: KnownTasks): void {
    if (!this.routes.learn(known)) return
    const lines = [...this.#lines()].toSorted((a, b) => a.turn - b.turn)
    for (const line of lines) {
      for (let record = line.head; record !== null; ) {
        const { next, ticket } = record
        if (this.routes.of(record) !== line.lane.route) {
          this.remove(record)
          record.ticket = ticket
          this.#enter(record)
        }
        record = next
      }
    }
  }

  /** The tasks on such routes. */
  tasksOn(isMeant: (route: Route) => boolean): TaskRecord[] {
    const tasks: TaskRecord[] = []
    for (const line of this.#lines()) {
      if (!isMeant(line.lane.route)) continue
      for (let record = line.head; record !== null; record = record.next) tasks.push(record)
    }
    return tasks
  }

  *#lines(): Generator<Line> {
    yield* this.groups.solo.lines
    for (const group of this.groups.all()) yield* group.lines
  }

  #enter(record: TaskRecord): void {
    const line = this.#lineOf(record)
    line.append(record)
    this.#count(line)
    if (line.isLinked) this.#addWaiting(line.lane.route, 1)
    else if (!line.group.isParked) {
      line.turn = ++this.#last
      this.#link(line, 'append')
    }
  }

  #count({ group, lane }: Line): void {
    group.queued++
    lane.route.size++
    this.#size++
  }

  #lineOf(record: TaskRecord): Line {
    const lane = this.routes.of(record).laneOf(record.options.priority)
    const group = this.groups.of(record.options.group)
    const isSolo = group === this.groups.solo
    const known = isSolo ? lane.solo : lineIn(group, lane)
    const line = known ?? new Line(lane, group)
    if (isSolo) lane.solo = line
    if (line.size === 0) begin(line)
    return line
  }

  /** The earliest of a route: by rank between its lanes, by turns within one. */
  #nextOf({ open }: Route): Line | null {
    if (open.length === 1) return (open[0] as Lane).first
    let best: Line | null = null
    for (const { first } of open) best = this.#earlier(best, first)
    return best
  }

  #earlier(a: Line | null, b: Line | null): Line | null {
    if (a === null || b === null) return a ?? b
    const difference = this.#rankOf(a) - this.#rankOf(b)
    return difference < 0 || (difference === 0 && a.lane.priority < b.lane.priority) ? a : b
  }

  #rankOf({ head, lane }: Line): number {
    return rankOf((head as TaskRecord).queuedAtMs, lane.priority, this.#ageingMs)
  }

  /** Of one priority, the group whose turn it is. */
  #offer(line: Line): void {
    const other = this.#turns[line.lane.priority] ?? null
    if (other === null || line.turn < other.turn) this.#turns[line.lane.priority] = line
  }

  /** Of one group and priority, the task that came first. */
  #yield(line: Line): void {
    const other = this.#turns[line.lane.priority] as Line
    if (line.group !== other.group) return
    const [own, theirs] = [line.head as TaskRecord, other.head as TaskRecord]
    if (own.ticket < theirs.ticket) this.#turns[line.lane.priority] = line
  }

  #park(group: Group): void {
    if (group.isParked) return
    group.isParked = true
    for (const line of group.lines) {
      this.#addWaiting(line.lane.route, -line.size)
      this.#unlink(line)
    }
  }

  #unpark(group: Group): void {
    if (!group.isParked || group.isFull) return
    group.isParked = false
    const turn = ++this.#last
    for (const line of group.lines) {
      line.turn = turn
      this.#link(line, 'append')
    }
  }

  #link(line: Line, where: 'append' | 'prepend'): void {
    const { lane } = line
    const wasEmpty = lane.first === null
    lane[where](line)
    this.#addWaiting(lane.route, line.size)
    if (!wasEmpty) return
    const { open } = lane.route
    const index = open.findIndex(({ priority }) => priority > lane.priority)
    open.splice(index === -1 ? open.length : index, 0, lane)
  }

  #unlink(line: Line): void {
    const { lane } = line
    lane.unlink(line)
    if (lane.first === null) lane.route.open.splice(lane.route.open.indexOf(lane), 1)
  }

  #addWaiting(route: Route, by: number): void {
    const before = route.waiting
    route.waiting += by
    if (before === 0 && by > 0) this.#open.push(route)
    else if (route.waiting === 0 && by < 0) this.#open.splice(this.#open.indexOf(route), 1)
  }
}

function lineIn(group: Group, lane: Lane): Line | undefined {
  return group.lines.find((line) => line.lane === lane)
}

/** It has its first task. */
function begin(line: Line): void {
  const { lines } = line.group
  const twin = lines.find(({ priority }) => priority === line.priority)
  if (twin !== undefined) line.join(twin)
  lines.push(line)
}
