/**
 * What a ledger must do, said a second time and as plainly as possible: no machine, no table, no
 * heap, no linked list. It hears what the ledger hears and says which deeds must follow. Which
 * process gets a task is the ledger's choice; the model only says whether it was a right one.
 */
import type { ErrorFacts, ExitCause } from '../../machines/vocabulary.ts'
import type { TaskRecord } from '../../src/ledger/record.ts'
import type { Assigned, StageEvent, StagePlan } from './ledger-stage.ts'
import { ModelLanes } from './model-lanes.ts'
import { type LifeWorld, type ModelProcess, TaskLife } from './task-life.ts'

type Of<T extends StageEvent['type']> = Extract<StageEvent, { type: T }>

export class LedgerModel {
  readonly tasks = new Map<string, TaskLife>()
  readonly processes = new Map<string, ModelProcess>()
  readonly holders = new Set<string>()
  readonly lanes = new ModelLanes()
  readonly #deeds: string[] = []
  readonly #world: LifeWorld
  readonly #awaited = new Set<'emptied' | 'calmed'>()
  #failure: ErrorFacts | null = null

  constructor(plan: StagePlan) {
    const must = (deed: string) => void this.#deeds.push(deed)
    this.#world = { plan, lanes: this.lanes, nowMs: 0, must }
  }

  get all(): TaskLife[] {
    return [...this.tasks.values()]
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
    return this.holders.size === 0 && this.lanes.size > 0 && hasRoom
  }

  /** What the ledger must have done since the last call. */
  takeDeeds(): string[] {
    return this.#deeds.splice(0)
  }

  /** From now on it counts as accepted, though the ledger may hear of it a little later. */
  admit(record: TaskRecord): void {
    this.tasks.set(record.id, new TaskLife(record, this.#world))
  }

  hear(event: StageEvent, nowMs: number): void {
    this.#world.nowMs = nowMs
    this.lanes.beginMoment()
    this.#hear(event)
    this.#fail(this.waiting.filter(({ state }) => state !== 'submitted'))
    if (event.type === 'xstate.stop') return
    const isCalm = !this.all.some(({ isActive }) => isActive)
    if (isCalm && this.#awaited.delete('calmed')) {
      this.#world.must('told shutdown ledger.calmed')
    }
    if (this.unended.length === 0 && this.#awaited.delete('emptied')) {
      this.#world.must('told pool ledger.emptied')
    }
  }

  /** Takes note of what the ledger chose to start. Returns what is wrong with it. */
  assign(rounds: readonly Assigned[]): string[] {
    const wrong: string[] = []
    const all = rounds.flatMap(({ tasks }) => tasks)
    if (all.length > 0 && this.holders.size > 0) {
      wrong.push(`assigned while held by ${[...this.holders].join()}`)
    }
    const chosen = new Set(all.flatMap(({ taskId }) => this.tasks.get(taskId) ?? []))
    if (!this.lanes.takeFirst(chosen)) {
      wrong.push(`out of turn: ${all.map(({ taskId }) => taskId).join(' ')}`)
    }
    for (const { slot, incarnation, tasks } of rounds) {
      const process = this.processes.get(`${slot}#${incarnation}`)
      if (process === undefined || this.#roomIn(process) < tasks.length) {
        wrong.push(`no room for ${tasks.length} at ${slot}#${incarnation}`)
        continue
      }
      for (const { taskId, attempt } of tasks) {
        wrong.push(...(this.tasks.get(taskId)?.start(process, attempt) ?? [`no ${taskId}`]))
      }
    }
    return wrong
  }

  #roomIn({ isOpen, tasks }: ModelProcess): number {
    return isOpen ? this.#world.plan.seatsPerWorker - tasks.length : 0
  }

  #hear(event: StageEvent): void {
    switch (event.type) {
      case 'task.submitted':
        return this.tasks.get(event.record.id)?.accept()
      case 'task.cancel':
        return this.tasks.get(event.record.id)?.stop(event.reason)
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
        task.endAttempt(report.verdict, report.error?.code)
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
      this.lanes.beginMoment()
      task.release()
    }
  }
}

function nameOf({ slot, incarnation }: { slot: string; incarnation: number }): string {
  return `${slot}#${incarnation}`
}
