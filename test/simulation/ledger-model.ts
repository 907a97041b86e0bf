/**
 * What a ledger must do, said a second time and as plainly as possible: no machine, no table, no
 * heap, no linked list. It hears what the ledger hears and says which actions must follow. Which
 * process gets a task is the ledger's choice; the model only says whether it was a right one.
 */
import type { SerializedError, ExitCause } from '../../machines/protocol.ts'
import type { TaskRecord } from '../../src/ledger/task/record.ts'
import type { Assigned, ScenarioEvent, ScenarioPlan } from './ledger-scenario.ts'
import { ModelBuckets } from './model-buckets.ts'
import { type LifeWorld, type ModelProcess, TaskLife } from './task-life.ts'

type Of<T extends ScenarioEvent['type']> = Extract<ScenarioEvent, { type: T }>

export class LedgerModel {
  /** The newest of each id. */
  readonly tasks = new Map<string, TaskLife>()
  readonly all: TaskLife[] = []
  /** The event in which each dead letter failed, by id. */
  readonly letters = new Map<string, number>()
  #events = 0
  readonly processes = new Map<string, ModelProcess>()
  readonly holders = new Set<string>()
  readonly buckets = new ModelBuckets()
  readonly #actions: string[] = []
  readonly #world: LifeWorld
  readonly #awaited = new Set<'emptied' | 'calmed'>()
  #failure: SerializedError | null = null
  /** Ended in this event; those that wait for them hear of it after it. */
  #ended: TaskLife[] = []
  readonly #ends = new Map<TaskLife, number>()
  readonly #results = new Map<string, { value: unknown; untilMs: number }>()

  constructor(plan: ScenarioPlan) {
    const must = (action: string) => void this.#actions.push(action)
    const ended = (life: TaskLife) => this.#note(life)
    this.#world = { plan, buckets: this.buckets, nowMs: 0, must, ended }
  }

  get unended(): TaskLife[] {
    return this.all.filter(({ hasEnded }) => !hasEnded)
  }

  get waiting(): TaskLife[] {
    return this.all.filter(({ isWaiting }) => isWaiting)
  }

  /** True when a task could start now. */
  get hasWork(): boolean {
    const hasRoom = [...this.processes.values()].some((process) => this.#roomIn(process) > 0)
    return this.holders.size === 0 && this.buckets.size > 0 && hasRoom
  }

  /** What the ledger must have done since the last call. */
  takeActions(): string[] {
    return this.#actions.splice(0)
  }

  /**
   * From now on they count as accepted, though the ledger may hear of them a little later. What came
   * in together may name each other.
   */
  admit(records: readonly TaskRecord[]): void {
    const runs = records.map((record) => new TaskLife(record, this.#world))
    for (const life of runs) {
      const { id } = life.record
      this.letters.delete(id)
      this.tasks.set(id, life)
      this.all.push(life)
    }
    for (const life of runs) {
      const ids = life.record.options.dependsOn ?? []
      life.parents = ids.flatMap((id) => this.tasks.get(id) ?? [])
    }
  }

  /** The task that stands for a key. */
  standIn(key: string, nowMs: number): TaskLife | null {
    const mine = this.all.filter(({ record }) => record.options.deduplication?.key === key)
    const unended = mine.find((life) => !life.hasEnded && !life.isBeingStopped)
    if (unended !== undefined) return unended
    const kept = mine.filter(
      ({ state, record }) => state === 'succeeded' && record.options.deduplication?.ttl !== 0,
    )
    const last = kept.toSorted((a, b) => this.#order(a) - this.#order(b)).at(-1)
    const ttl = last?.record.options.deduplication?.ttl ?? 0
    return last !== undefined && nowMs < last.endedAtMs + ttl ? last : null
  }

  /** The result that a task's key has now. */
  result({ record }: TaskLife): { readonly value: unknown } | null {
    const { cache } = record.options
    const kept = cache === undefined ? undefined : this.#results.get(cache.key)
    return kept !== undefined && this.#world.nowMs < kept.untilMs ? kept : null
  }

  /**
   * `answered`: those the ledger has given a known result instead of a start; `rounds`: those it has
   * started. Returns what is wrong with them.
   */
  hear(
    event: ScenarioEvent,
    nowMs: number,
    answered: readonly TaskRecord[],
    rounds: readonly Assigned[],
  ): string[] {
    this.#world.nowMs = nowMs
    this.buckets.beginMoment()
    this.#events++
    this.#hear(event)
    const wrong = [...this.#answer(event, answered), ...this.#assign(rounds)]
    this.#release()
    this.#fail(this.waiting.filter(({ state }) => state !== 'submitted'))
    if (event.type === 'xstate.stop') return wrong
    const isCalm = !this.all.some(({ isActive }) => isActive)
    if (isCalm && this.#awaited.delete('calmed')) {
      this.#world.must('told shutdown ledger.calmed')
    }
    if (this.unended.length === 0 && this.#awaited.delete('emptied')) {
      this.#world.must('told pool ledger.emptied')
    }
    return wrong
  }

  /** As they come, and when it is their turn and there is room: then they need not run. */
  #answer(event: ScenarioEvent, answered: readonly TaskRecord[]): string[] {
    const wrong: string[] = []
    for (const record of answered) {
      const life = this.all.find((other) => other.record === record) as TaskLife
      if (life.state === 'succeeded') continue
      const known = this.result(life)
      if (event.type !== 'dispatch.due' || !this.hasWork || life.state !== 'queued') {
        wrong.push(`${record.id} was answered at ${event.type}`)
      }
      if (known === null || known.value !== record.value) {
        wrong.push(`${record.id} was answered with ${String(record.value)}`)
      }
      this.#succeed(life, record.value)
    }
    return wrong
  }

  #succeed(life: TaskLife, value: unknown): void {
    life.value = value
    life.isAnswered = true
    life.end('succeeded')
  }

  #note(life: TaskLife): void {
    const { record, state } = life
    const { cache } = record.options
    this.#ended.push(life)
    this.#ends.set(life, this.#ends.size)
    if (state === 'failed') this.letters.set(record.id, this.#events)
    if (state !== 'succeeded' || cache === undefined || life.isAnswered) return
    const ttl = cache.ttl ?? this.#world.plan.cacheTtlMs
    const untilMs = ttl === 0 ? Infinity : this.#world.nowMs + ttl
    this.#results.set(cache.key, { value: life.value, untilMs })
  }

  #order(life: TaskLife): number {
    return this.#ends.get(life) ?? -1
  }

  /** One after another, for what is told of one may end the next. */
  #release(): void {
    for (const parent of this.#ended) {
      for (const life of this.all) if (life.waitsFor.has(parent)) life.hear(parent)
    }
    this.#ended = []
  }

  /** Takes note of what the ledger chose to start. Returns what is wrong with it. */
  #assign(rounds: readonly Assigned[]): string[] {
    const wrong: string[] = []
    const all = rounds.flatMap(({ tasks }) => tasks)
    if (all.length > 0 && this.holders.size > 0) {
      wrong.push(`assigned while held by ${[...this.holders].join()}`)
    }
    const chosen = new Set(all.flatMap(({ taskId }) => this.tasks.get(taskId) ?? []))
    if (!this.buckets.takeFirst(chosen)) {
      wrong.push(`out of turn: ${all.map(({ taskId }) => taskId).join(' ')}`)
    }
    for (const { slot, incarnation, tasks } of rounds) {
      const process = this.processes.get(`${slot}#${incarnation}`)
      if (process === undefined || this.#roomIn(process) < tasks.length) {
        wrong.push(`no room for ${tasks.length} at ${slot}#${incarnation}`)
        continue
      }
      for (const { taskId, attempt } of tasks) {
        const life = this.tasks.get(taskId)
        if (life !== undefined && this.result(life) !== null) {
          wrong.push(`${taskId} was started, and its result is known`)
        }
        wrong.push(...(this.tasks.get(taskId)?.start(process, attempt) ?? [`no ${taskId}`]))
      }
    }
    return wrong
  }

  #roomIn({ isOpen, tasks }: ModelProcess): number {
    return isOpen ? this.#world.plan.tasksPerWorker - tasks.length : 0
  }

  #hear(event: ScenarioEvent): void {
    switch (event.type) {
      case 'task.submitted':
        return this.#accept(event.record)
      case 'task.cancel':
        return this.all.find(({ record }) => record === event.record)?.stop(event.reason)
      case 'attempts.reported':
        return this.#report(event)
      case 'timers.due':
        for (const task of this.unended) task.ring()
        return
      case 'worker.opened':
      case 'worker.closed':
        return this.#open(event)
      case 'worker.exited':
        return this.#lose(nameOf(event), event.cause)
      case 'dispatch.hold':
        return void this.holders.add(event.holder)
      case 'dispatch.free':
        return void this.holders.delete(event.holder)
      case 'intake.open':
        this.holders.delete('shutdown')
        this.#failure = null
        return this.#awaited.clear()
      case 'intake.drain':
        return void this.#awaited.add('emptied')
      case 'intake.close':
        this.holders.add('shutdown')
        this.#awaited.add('calmed')
        for (const task of this.waiting) task.stop('shutdown')
        return
      case 'tasks.cancelAll':
        for (const task of this.unended) task.stop('shutdown')
        return
      case 'pool.failed':
        this.#failure = event.error
        return this.#fail(this.waiting)
      case 'xstate.stop':
        return this.#halt()
    }
  }

  #accept(record: TaskRecord): void {
    const life = this.all.find((other) => other.record === record)
    const known = life === undefined ? null : this.result(life)
    if (life?.state === 'submitted' && known !== null) this.#succeed(life, known.value)
    else if (life?.state === 'submitted') {
      life.accept()
      this.#fail([life])
      life.hearEnded()
    }
  }

  #halt(): void {
    this.#world.must('halted')
    for (const name of Array.from(this.processes.keys())) this.#lose(name, 'stopped')
    this.#fail(this.waiting)
    for (const task of this.unended) task.stop('shutdown')
  }

  #fail(tasks: readonly TaskLife[]): void {
    if (this.#failure === null) return
    for (const task of tasks) task.end(`failed ${this.#failure.code}`)
  }

  #open(event: Of<'worker.opened'> | Of<'worker.closed'>): void {
    const name = nameOf(event)
    const process = this.processes.get(name)
    if (process !== undefined) process.isOpen = false
    else if (event.type === 'worker.opened') {
      this.processes.set(name, { name, isOpen: true, tasks: [] })
    }
  }

  #report(event: Of<'attempts.reported'>): void {
    const process = this.processes.get(nameOf(event))
    if (process === undefined) return
    let ended = 0
    for (const report of event.reports) {
      const task = this.tasks.get(report.taskId)
      if (task?.process !== process || task.starts !== report.attempt) continue
      if (report.kind === 'started') task.sayStarted()
      else if (report.kind === 'progress') task.sayProgress()
      else {
        ended++
        task.endAttempt(report.verdict, report.error?.code, report.value)
      }
    }
    if (ended > 0) this.#world.must(`told ${process.name} of ${ended} ended`)
  }

  #lose(name: string, cause: ExitCause): void {
    const tasks = this.processes.get(name)?.tasks.slice() ?? []
    this.processes.delete(name)
    const isAlone = tasks.length === 1
    const released = tasks.filter((task) => task.lose(cause, isAlone))
    // They come back to the front in the order they had.
    for (const task of released.reverse()) {
      this.buckets.beginMoment()
      task.release()
    }
  }
}

function nameOf({ slot, incarnation }: { slot: string; incarnation: number }): string {
  return `${slot}#${incarnation}`
}
