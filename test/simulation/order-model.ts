/**
 * The order of tasks, said a second time and as plainly as possible: lists that are searched from end
 * to end. It sees every step of every task and says, at each start, whether that task on that worker
 * was the right choice. It is exact: of all tasks that could start, one is first.
 */
import { adaptive, leastLoaded, roundRobin } from '../../machines/order-policy.ts'
import type { TaskEvent } from '../../machines/task.setup.ts'
import { capabilitiesOf, type OrderPolicy } from '../../src/config/order-plan.ts'
import type { TaskRecord } from '../../src/ledger/task/record.ts'
import { ModelWorkers } from './model-workers.ts'
import type { OrderScenario, ScenarioProcess } from './order-scenario.ts'

const STRATEGIES = { adaptive, leastLoaded, roundRobin }

interface Waiting {
  readonly record: TaskRecord
  readonly ticket: number
  readonly atMs: number
}
/** The tasks of one group, priority and way of being served. */
interface Row {
  readonly session: string | null
  readonly requires: readonly string[]
  readonly priority: number
  readonly group: string | undefined
  readonly tasks: Waiting[]
  turn: number
}
export class OrderModel {
  readonly wrong: string[] = []
  readonly seen = new Set<string>()
  readonly limits = new Map<string, number>()
  readonly #scenario: OrderScenario
  readonly #order: OrderPolicy
  readonly #plain: readonly string[] | null
  readonly #rows: Row[] = []
  readonly #active = new Map<string, number>()
  readonly #suspended = new Set<string>()
  readonly #workers = new ModelWorkers()
  /** Open processes in the order they opened, and where the round stands. */
  #open: ScenarioProcess[] = []
  #turn = 0
  #last = 0
  #first = 0

  /** `plain`: names of tasks that run in any session; null where there is but one. */
  constructor(scenario: OrderScenario, order: OrderPolicy, plain: readonly string[] | null) {
    this.#scenario = scenario
    this.#order = order
    this.#plain = plain
  }

  opened(process: ScenarioProcess): void {
    this.#open = [...this.#open.filter(({ state }) => state === 'open'), process]
  }

  /** All its tasks are nobody's, the last first. */
  lost(process: ScenarioProcess): void {
    this.#open = this.#open.filter((other) => other !== process)
    for (const record of process.tasks.toReversed()) this.#leave(record)
  }

  limit(group: string, limit: number): void {
    this.limits.set(group, limit)
    if (this.#isFull(group)) this.#suspended.add(group)
    else this.#unpark(group)
  }

  before(record: TaskRecord, event: TaskEvent): void {
    if (event.type === 'attempt.ended') {
      this.#leave(record)
      if (event.verdict === 'ok') this.#measure(record)
    }
    if (event.type === 'attempt.assigned') this.#judge(record)
  }

  after(record: TaskRecord, from: TaskRecord['state']): void {
    if (from === 'queued' && record.state !== 'queued') this.#remove(record)
    if (from !== 'queued' && record.state === 'queued') {
      this.#add(record, ['assigned', 'running'].includes(from))
    }
  }

  /** A task that could start, and somebody with room for it. */
  get isIdle(): boolean {
    return this.#rows.every((row) => this.#isOut(row) || this.#fit(row).length === 0)
  }

  get waiting(): TaskRecord[] {
    return this.#rows.flatMap(({ tasks }) => tasks.map(({ record }) => record))
  }

  #sessionOf({ name, options }: TaskRecord): string | null {
    if (this.#plain === null || this.#plain.includes(name)) return null
    return options.session
  }

  #rowOf(record: TaskRecord): Row | undefined {
    const { priority, group, requires = [] } = record.options
    const session = this.#sessionOf(record)
    return this.#rows.find(
      (row) =>
        row.priority === priority &&
        row.group === group &&
        row.session === session &&
        row.requires.join() === requires.join(),
    )
  }

  #add(record: TaskRecord, isFirst: boolean): void {
    let row = this.#rowOf(record)
    const isNew = row === undefined
    if (row === undefined) {
      const { priority, group, requires = [] } = record.options
      row = { session: this.#sessionOf(record), requires, priority, group, tasks: [], turn: 0 }
      this.#rows.push(row)
    }
    const { queuedAtMs } = record
    if (!isFirst && queuedAtMs !== this.#scenario.clock.nowMs())
      this.wrong.push('it forgot the time')
    if (isFirst) row.tasks.unshift({ record, ticket: --this.#first, atMs: queuedAtMs })
    else row.tasks.push({ record, ticket: ++this.#last, atMs: queuedAtMs })
    if (isFirst) row.turn = --this.#first
    else if (isNew) row.turn = ++this.#last
    this.seen.add(isFirst ? 'back in front' : 'queued')
  }

  #remove(record: TaskRecord): void {
    const row = this.#rowOf(record) as Row
    row.tasks.splice(
      row.tasks.findIndex((one) => one.record === record),
      1,
    )
    if (row.tasks.length === 0) this.#rows.splice(this.#rows.indexOf(row), 1)
  }

  #leave({ options: { group } }: TaskRecord): void {
    if (group === undefined) return
    this.#active.set(group, (this.#active.get(group) ?? 0) - 1)
    this.#unpark(group)
  }

  #isFull(group: string): boolean {
    const limit = this.limits.get(group) ?? 0
    return limit > 0 && (this.#active.get(group) ?? 0) >= limit
  }

  #unpark(group: string): void {
    if (!this.#suspended.has(group) || this.#isFull(group)) return
    this.seen.add('a group may go on')
    this.#suspended.delete(group)
    const turn = ++this.#last
    for (const row of this.#rows) if (row.group === group) row.turn = turn
  }

  #isOut({ group }: Row): boolean {
    return group !== undefined && this.#suspended.has(group)
  }

  #suits(process: ScenarioProcess, { session, requires }: Row): boolean {
    const can = capabilitiesOf(this.#order.capabilities, process.slot)
    const isRight = session === null || session === process.session
    return isRight && requires.every((capability) => can.includes(capability))
  }

  #fit(row: Row): ScenarioProcess[] {
    return this.#open.filter(
      (process) =>
        process.state === 'open' &&
        process.tasks.length < this.#scenario.tasksPerWorker &&
        this.#suits(process, row),
    )
  }

  #rankOf(row: Row): number {
    const { ageingMs } = this.#order
    if (ageingMs === 0) return row.priority
    return (row.tasks[0] as Waiting).atMs + row.priority * ageingMs
  }

  /** The row whose turn it is. */
  #expected(): Row | null {
    const could = this.#rows.filter((row) => !this.#isOut(row) && this.#fit(row).length > 0)
    const winners = [...new Set(could.map(({ priority }) => priority))].map((priority) => {
      const ways = Map.groupBy(
        could.filter((row) => row.priority === priority),
        ({ session, requires }) => JSON.stringify([session, requires]),
      )
      const firsts = [...ways.values()].map((rows) => least(rows, ({ turn }) => turn))
      const { group } = least(firsts, ({ turn }) => turn)
      const own = firsts.filter((row) => row.group === group)
      return least(own, ({ tasks }) => (tasks[0] as Waiting).ticket)
    })
    const sorted = winners.toSorted(
      (a, b) => this.#rankOf(a) - this.#rankOf(b) || a.priority - b.priority,
    )
    if (
      sorted.length > 1 &&
      (sorted[0] as Row).priority > Math.min(...winners.map((row) => row.priority))
    )
      this.seen.add('it was old enough')
    return sorted[0] ?? null
  }

  #judge(record: TaskRecord): void {
    const { slot, incarnation } = record.worker as NonNullable<TaskRecord['worker']>
    const isIt = (one: ScenarioProcess) => one.slot === slot && one.incarnation === incarnation
    const process = this.#open.find(isIt)
    const row = this.#expected()
    if (row === null || process === undefined) {
      return void this.wrong.push(`${record.id} started, and nobody had room`)
    }
    const head = (row.tasks[0] as Waiting).record
    if (this.#rowOf(record) !== row) this.wrong.push(`${record.id} started out of turn: ${head.id}`)
    const fit = this.#fit(row)
    if (!fit.includes(process)) this.wrong.push(`${record.id} started on ${slot}`)
    const liking = fit.filter((one) => this.#favourite(one, row) !== null)
    const expected = liking.length > 0 ? this.#favourite(process, row) : head
    if (record !== expected) this.wrong.push(`${record.id} started instead of ${expected?.id}`)
    this.#judgeWorker(process, liking.length > 0 ? liking : this.#leastClaimed(fit))
    if (record !== head) this.seen.add('out of turn by affinity')
    this.#workers.noteStart(process, record, record !== head)
    this.#take(row)
  }

  #judgeWorker(process: ScenarioProcess, fit: readonly ScenarioProcess[]): void {
    const open = this.#open.filter(({ state }) => state === 'open')
    const loads = open.map((one) => {
      const { meanMs, samples } = this.#workers.of(one)
      const capacity = this.#scenario.tasksPerWorker
      return { one, used: one.tasks.length, capacity, meanMs, samples }
    })
    const strategy = STRATEGIES[this.#order.strategy]
    const index = strategy(loads, this.#turn, ({ one }) => fit.includes(one))
    this.#turn = (index + 1) % open.length
    if (open[index] !== process)
      this.wrong.push(`it went to ${process.slot}, not ${open[index]?.slot}`)
  }

  #leastClaimed(fit: readonly ScenarioProcess[]): ScenarioProcess[] {
    const ways = new Map(
      this.#rows
        .filter((row) => !this.#isOut(row))
        .map((row) => [JSON.stringify([row.session, row.requires]), row]),
    )
    const claims = (process: ScenarioProcess) =>
      [...ways.values()].filter((row) => this.#suits(process, row)).length
    const fewest = Math.min(...fit.map(claims))
    return fit.filter((process) => claims(process) === fewest)
  }

  #favourite(process: ScenarioProcess, { tasks }: Row): TaskRecord | null {
    const { alike, isEnough } = this.#workers.alike(
      process,
      tasks.map(({ record }) => record),
    )
    if (isEnough) this.seen.add('enough of one affinity')
    return isEnough ? null : alike
  }

  /** Its group has had its turn at this priority. */
  #take({ group, priority }: Row): void {
    const turn = ++this.#last
    for (const row of this.#rows) {
      if (row.group === group && row.priority === priority) row.turn = turn
    }
    if (group === undefined) return
    this.#active.set(group, (this.#active.get(group) ?? 0) + 1)
    if (!this.#isFull(group)) return
    this.seen.add('a group is at its limit')
    this.#suspended.add(group)
  }

  #measure(record: TaskRecord): void {
    const { slot, incarnation } = record.worker as NonNullable<TaskRecord['worker']>
    const process = this.#scenario.processes.find(
      (one) => one.slot === slot && one.incarnation === incarnation,
    )
    if (process === undefined || this.#order.strategy !== 'adaptive') return
    this.#workers.measure(process, this.#scenario.clock.nowMs() - record.startedAtMs)
  }
}

/** The first of those with the least. */
function least<T>(list: readonly T[], of: (one: T) => number): T {
  return list.reduce((best, one) => (of(one) < of(best) ? one : best))
}
