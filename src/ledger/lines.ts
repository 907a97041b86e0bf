/**
 * Where tasks wait: a route for each way of being served, in it a lane for each priority, in it a
 * line for each group, in it the tasks. All are linked lists, so that whatever comes or goes costs
 * the same however many wait. It never decides whose turn it is.
 */
import type { Group } from './groups.ts'
import type { TaskRecord } from './record.ts'
import type { Route } from './routes.ts'

/** The tasks of one affinity within a line. */
export interface Strand {
  readonly key: string
  head: TaskRecord | null
  tail: TaskRecord | null
}
/** A task's place in its strand. */
export interface Bond {
  readonly strand: Strand
  previous: TaskRecord | null
  next: TaskRecord | null
}

/** The tasks of one group, of one priority, that the same workers can run: first in, first out. */
export class Line {
  readonly lane: Lane
  readonly priority: number
  readonly group: Group
  head: TaskRecord | null = null
  tail: TaskRecord | null = null
  size = 0
  /** Neighbours in the lane. Lines of a group at its limit stand beside it. */
  previous: Line | null = null
  next: Line | null = null
  isLinked = false
  /** When its turn comes: lower is earlier. */
  turn = 0
  /** The next of its group's lines of this priority, round to itself: they have their turns as one. */
  twin: Line = this
  strands: Map<string, Strand> | null = null

  constructor(lane: Lane, group: Group) {
    this.lane = lane
    this.priority = lane.priority
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
    if (record.bond !== null) this.#untie(record, record.bond)
  }

  join(twin: Line): void {
    this.twin = twin.twin
    twin.twin = this
  }

  part(): void {
    let before = this.twin
    while (before.twin !== this) before = before.twin
    before.twin = this.twin
    this.twin = this
  }

  #enter(record: TaskRecord): void {
    record.line = this
    this.size++
  }

  #tie(record: TaskRecord, key: string, isFirst: boolean): void {
    this.strands ??= new Map()
    let strand = this.strands.get(key)
    if (strand === undefined) {
      strand = { key, head: null, tail: null }
      this.strands.set(key, strand)
    }
    const { head, tail } = strand
    record.bond = { strand, previous: isFirst ? null : tail, next: isFirst ? head : null }
    if (isFirst || head === null) strand.head = record
    if (!isFirst || tail === null) strand.tail = record
    if (isFirst && head?.bond) head.bond.previous = record
    if (!isFirst && tail?.bond) tail.bond.next = record
  }

  #untie(record: TaskRecord, { strand, previous, next }: Bond): void {
    if (previous?.bond) previous.bond.next = next
    else strand.head = next
    if (next?.bond) next.bond.previous = previous
    else strand.tail = previous
    record.bond = null
    if (strand.head !== null) return
    this.strands?.delete(strand.key)
    if (this.strands?.size === 0) this.strands = null
  }
}

/** The lines of one priority in a route, in the order of their turns. */
export class Lane {
  readonly route: Route
  readonly priority: number
  first: Line | null = null
  last: Line | null = null
  /** The line of tasks without a group, kept for the next of them. */
  solo: Line | null = null

  constructor(route: Route, priority: number) {
    this.route = route
    this.priority = priority
  }

  append(line: Line): void {
    line.previous = this.last
    line.next = null
    if (this.last === null) this.first = line
    else this.last.next = line
    this.last = line
    line.isLinked = true
  }

  toLast(line: Line): void {
    if (line === this.last) return
    this.unlink(line)
    this.append(line)
  }

  prepend(line: Line): void {
    line.previous = null
    line.next = this.first
    if (this.first === null) this.last = line
    else this.first.previous = line
    this.first = line
    line.isLinked = true
  }

  unlink(line: Line): void {
    if (line.previous === null) this.first = line.next
    else line.previous.next = line.next
    if (line.next === null) this.last = line.previous
    else line.next.previous = line.previous
    line.previous = null
    line.next = null
    line.isLinked = false
  }
}
