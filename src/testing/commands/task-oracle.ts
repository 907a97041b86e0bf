/**
 * The tasks of a pool as its user could count them: which were accepted, how often each ended, and
 * what the end may be. It hears handles and news, looks into nothing, and writes down what is wrong.
 */
import type { TaskHandle, TaskOutcome, TaskState } from '../../api/task.ts'
import { endsOf, type Entry, newEntry, type Status, type TaskMachineContext } from './task-entry.ts'

const WAITING: ReadonlySet<TaskState> = new Set(['blocked', 'delayed', 'queued', 'backingOff'])
const UNDER_WAY: ReadonlySet<TaskState> = new Set(['assigned', 'running', 'cancelling'])
/** What a task that was cancelled is not told as. */
const OTHER_STOPS: ReadonlySet<string> = new Set(['TASK_TIMED_OUT', 'TASK_EXPIRED'])

export class TaskOracle {
  readonly sums = { succeeded: 0, failed: 0, cancelled: 0 }
  readonly #entries = new Map<string, Entry>()
  readonly #report: (violation: string) => void
  /** Ends told while a task is being handed in: whose they are is known when that is done. */
  readonly #early: TaskOutcome[] = []
  #isTaking = false
  #count = 0

  constructor(report: (violation: string) => void) {
    this.#report = report
  }

  newId(): string {
    return `t${++this.#count}`
  }

  /** Accepted tasks, in their order: drawn numbers choose among them. */
  pick(choice: number): string | null {
    const ids = this.ids
    return ids.length === 0 ? null : (ids[choice % ids.length] as string)
  }

  get ids(): string[] {
    return [...this.#entries].flatMap(([id, { runs }]) => (runs > 0 ? [id] : []))
  }

  handleOf(id: string): TaskHandle | null {
    return this.#entries.get(id)?.handle ?? null
  }

  hasEnded(id: string): boolean {
    const entry = this.#entries.get(id)
    return entry !== undefined && entry.ends >= entry.runs
  }

  /** How it ended last; null before. */
  lastOf(id: string): TaskOutcome['status'] | null {
    return this.#entries.get(id)?.last ?? null
  }

  /** One of its lives ended so. */
  hasEndedAs(id: string, status: Status): boolean {
    return this.#entries.get(id)?.outcomes.includes(status) ?? false
  }

  /**
   * The task that stands for this key, if one does: none that was cancelled. Whether one that is being
   * stopped for another reason does, only the pool knows.
   */
  standingFor(name: string, key: string): { readonly id: string; readonly isSure: boolean } | null {
    for (const [id, { facts, handle, cancelled }] of this.#entries) {
      if (facts.name !== name || facts.key !== key || this.hasEnded(id)) continue
      if (cancelled === 'no') return { id, isSure: handle?.status().state !== 'cancelling' }
    }
    return null
  }

  /** Lives of all tasks together. */
  get runs(): number {
    return this.#sum(({ runs }) => runs)
  }

  /** Tasks that a `run` or a `map` has handed in, or not: it has not said so yet. */
  get unsure(): number {
    return this.#sum(({ runs }) => (runs === 0 ? 1 : 0))
  }

  unended(): string[] {
    return this.ids.filter((id) => !this.hasEnded(id))
  }

  /** Runs what hands tasks in; `catchUp` hears of their ends once they are in the books. */
  taking<T>(handIn: () => T): T {
    this.#isTaking = true
    try {
      return handIn()
    } finally {
      this.#isTaking = false
    }
  }

  /** The ends that came early are taken, once the tasks are in the books. */
  catchUp(): void {
    for (const outcome of this.#early.splice(0)) this.ended(outcome)
  }

  accept(facts: TaskMachineContext, handle: TaskHandle): void {
    const entry = this.#entryFor(facts)
    entry.facts = facts
    entry.handle = handle
    entry.runs++
    entry.cancelled = 'no'
    entry.last = null
    entry.dependencies = this.#dependenciesOf(facts.parents)
  }

  /** All of a batch: they may wait for each other. */
  acceptAll(batch: readonly (readonly [facts: TaskMachineContext, handle: TaskHandle])[]): void {
    for (const [facts, handle] of batch) this.accept({ ...facts, parents: [] }, handle)
    for (const [{ id, parents }] of batch) {
      const entry = this.#entries.get(id)
      if (entry === undefined) continue
      entry.facts = { ...entry.facts, parents }
      entry.dependencies = this.#dependenciesOf(parents)
    }
  }

  /** A dead letter was sent again. */
  readmit(handle: TaskHandle): void {
    const entry = this.#entries.get(handle.id)
    if (entry === undefined) return this.#report(`a dead letter ${handle.id} was never a task`)
    this.accept(entry.letter ?? entry.facts, handle)
  }

  /** It will be accepted or not, and nobody says which until it starts or ends. */
  expect(facts: TaskMachineContext): void {
    this.#entryFor(facts).dependencies = this.#dependenciesOf(facts.parents)
  }

  /** It was refused after all. */
  forget(id: string): void {
    if (this.#entries.get(id)?.runs === 0) this.#entries.delete(id)
  }

  /** Somebody asks for its end: `state` is where it was before. */
  cancel(id: string, state: TaskState, nowMs: number): void {
    const entry = this.#entries.get(id)
    if (entry === undefined || entry.cancelled !== 'no') return
    if (WAITING.has(state)) entry.cancelled = 'waiting'
    else if (UNDER_WAY.has(state)) entry.cancelled = 'underWay'
    entry.cancelledAtMs = nowMs
  }

  started({ taskId }: { readonly taskId: string }): void {
    const entry = this.#heard(taskId, 'was started')
    if (entry === null) return
    if (entry.ends >= entry.runs) this.#report(`${taskId} starts after its end`)
    if (entry.cancelled === 'waiting') this.#report(`${taskId} starts after it was cancelled`)
  }

  retried({ taskId }: { readonly taskId: string }): void {
    if (this.#entries.get(taskId)?.cancelled === 'underWay') {
      this.#report(`${taskId} is tried again after it was cancelled`)
    }
  }

  ended(outcome: TaskOutcome): void {
    if (this.#isTaking) return void this.#early.push(outcome)
    const { taskId, status } = outcome
    const entry = this.#heard(taskId, 'ended')
    if (entry === null) return
    entry.ends++
    entry.last = status
    this.sums[status]++
    if (entry.ends > entry.runs) {
      this.#report(`${taskId} was accepted ${entry.runs} times and ended ${entry.ends} times`)
    }
    entry.outcomes[entry.runs - 1] = status
    if (status === 'failed') entry.letter = entry.facts
    const violation = this.#violationOfEnd(entry, outcome)
    if (violation !== null) this.#report(`${taskId} ${violation}`)
  }

  /** What is wrong with tasks that have not ended; `limitMs` is how long a cancelled one may take. */
  judge(nowMs: number, limitMs: number): void {
    for (const [id, entry] of this.#entries) {
      if (entry.handle === null || entry.ends >= entry.runs) continue
      const { state } = entry.handle.status()
      if (entry.cancelled === 'waiting') this.#report(`${id} was cancelled and is ${state}`)
      if (entry.cancelled === 'underWay' && nowMs - entry.cancelledAtMs > limitMs) {
        this.#report(`${id} was cancelled ${nowMs - entry.cancelledAtMs} ms ago and is ${state}`)
      }
      if (state === 'blocked') this.#judgeBlocked(id, entry)
    }
  }

  /** Tasks of a group that a worker has. */
  underWayIn(group: string): number {
    return this.#sum(({ facts, handle }) =>
      facts.group === group && handle !== null && UNDER_WAY.has(handle.status().state) ? 1 : 0,
    )
  }

  #judgeBlocked(id: string, entry: Entry): void {
    const ends = endsOf(entry)
    const isLost = ends.some((end) => end !== undefined && end !== 'succeeded')
    if (!entry.facts.isLenient && isLost) this.#report(`${id} waits, and a task before it fell`)
    if (!ends.includes(undefined)) this.#report(`${id} waits for tasks that have all ended`)
  }

  #violationOfEnd(entry: Entry, outcome: TaskOutcome): string | null {
    const { facts, cancelled } = entry
    const ends = endsOf(entry)
    if (outcome.status === 'succeeded') {
      if (outcome.cached === true) return null
      if (cancelled === 'waiting') return 'was cancelled before its start and succeeded'
      const isEarly = ends.some((end) =>
        facts.isLenient ? end === undefined : end !== 'succeeded',
      )
      return isEarly ? 'succeeded before what it depends on' : null
    }
    const { code } = outcome.error
    if (cancelled !== 'no' && OTHER_STOPS.has(code)) return `was cancelled and is told as ${code}`
    if (cancelled !== 'no' && outcome.status === 'failed')
      return `was cancelled and failed: ${code}`
    if (code !== 'DEPENDENCY_FAILED') return null
    const isRight = ends.some((end) => end !== undefined && end !== 'succeeded')
    return isRight ? null : 'failed for others, and none did'
  }

  #dependenciesOf(parents: readonly string[]): Entry['dependencies'] {
    return parents.flatMap((id) => {
      const parent = this.#entries.get(id)
      return parent === undefined ? [] : [{ parent, life: parent.runs }]
    })
  }

  /** A task that a `run` or a `map` may have handed in was: else nobody would tell of it. */
  #heard(id: string, what: string): Entry | null {
    const entry = this.#entries.get(id)
    if (entry === undefined) {
      this.#report(`${id} ${what}, and was never accepted`)
      return null
    }
    entry.runs = Math.max(1, entry.runs)
    return entry
  }

  #entryFor(facts: TaskMachineContext): Entry {
    let entry = this.#entries.get(facts.id)
    if (entry !== undefined) return entry
    entry = newEntry(facts)
    this.#entries.set(facts.id, entry)
    return entry
  }

  #sum(count: (entry: Entry) => number): number {
    let sum = 0
    for (const entry of this.#entries.values()) sum += count(entry)
    return sum
  }
}
