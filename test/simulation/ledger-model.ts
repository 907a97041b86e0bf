/**
 * What a ledger must do, said a second time and as plainly as possible: no machine, no table, no heap, no linked list. It
 * hears what the ledger hears and says which deeds must follow. Which process gets a task is the ledger's choice; the
 * model only says whether it was a right one.
 */
import { MAX_KILLS, MAX_RELEASES } from '../../machines/policy.ts'
import type { CancelReason, ErrorFacts, ExitCause, Verdict } from '../../machines/vocabulary.ts'
import type { AttemptReport } from '../../src/ledger/ledger.ts'
import type { TaskRecord } from '../../src/ledger/record.ts'
import { ModelLanes } from './model-lanes.ts'
import { type Assigned, POOL_ERROR, type StageEvent, type StagePlan } from './ledger-stage.ts'

type State = TaskRecord['state']
type Of<T extends StageEvent['type']> = Extract<StageEvent, { type: T }>

export interface ModelTask {
  readonly record: TaskRecord
  state: State
  starts: number
  releases: number
  kills: number
  reason: CancelReason | null
  process: ModelProcess | null
  /** What happens when its time has come. */
  timer: { readonly atMs: number; readonly ring: () => void } | null
  deadlineAtMs: number
}
interface ModelProcess {
  readonly name: string
  readonly slot: string
  isOpen: boolean
  readonly tasks: ModelTask[]
}

const BLAMELESS: readonly ExitCause[] = ['stopped', 'recycled', 'cancelled', 'memory']
const ENDS: readonly State[] = ['succeeded', 'failed', 'cancelled']
const ON_PROCESS: readonly State[] = ['assigned', 'running', 'cancelling']
const CODE_OF: Readonly<Record<CancelReason, string>> = {
  requested: 'cancelled TASK_CANCELLED',
  shutdown: 'cancelled TASK_CANCELLED',
  timedOut: 'failed TASK_TIMED_OUT',
  expired: 'failed TASK_EXPIRED',
}

export class LedgerModel {
  readonly tasks = new Map<string, ModelTask>()
  readonly processes = new Map<string, ModelProcess>()
  readonly holders = new Set<string>()
  readonly lanes = new ModelLanes()
  /** What the ledger must have done by now. */
  readonly deeds: string[] = []
  readonly #plan: StagePlan
  readonly #awaited = new Set<'emptied' | 'calmed'>()
  #failure: ErrorFacts | null = null
  #retried = 0
  #nowMs = 0

  constructor(plan: StagePlan) {
    this.#plan = plan
  }

  get unended(): ModelTask[] {
    return [...this.tasks.values()].filter(({ state }) => !ENDS.includes(state))
  }

  get active(): ModelTask[] {
    return this.unended.filter(({ state }) => ON_PROCESS.includes(state))
  }

  get waiting(): ModelTask[] {
    return this.unended.filter(({ state }) => !ON_PROCESS.includes(state))
  }

  /** True when a task could start now. */
  get hasWork(): boolean {
    const hasRoom = [...this.processes.values()].some((process) => this.#roomIn(process) > 0)
    return this.holders.size === 0 && this.lanes.size > 0 && hasRoom
  }

  counts() {
    const count = (state: State) =>
      [...this.tasks.values()].filter((task) => task.state === state).length
    return {
      submitted: this.tasks.size,
      pending: this.waiting.length,
      active: this.active.length,
      succeeded: count('succeeded'),
      failed: count('failed'),
      cancelled: count('cancelled'),
      retried: this.#retried,
    }
  }

  hear(event: StageEvent, nowMs: number): void {
    this.#nowMs = nowMs
    this.lanes.beginEvent()
    this.#hear(event)
    this.#failWaiting()
    if (event.type === 'xstate.stop') return
    if (this.active.length === 0 && this.#awaited.delete('calmed')) {
      this.deeds.push('told shutdown ledger.calmed')
    }
    if (this.unended.length === 0 && this.#awaited.delete('emptied')) {
      this.deeds.push('told pool ledger.emptied')
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
      for (const assignment of tasks) wrong.push(...this.#start(process, assignment))
    }
    return wrong
  }

  #start(process: ModelProcess, { taskId, attempt }: Assigned['tasks'][number]): string[] {
    const task = this.tasks.get(taskId)
    if (task?.state !== 'queued') return [`started ${taskId}, which is ${task?.state}`]
    task.starts++
    task.state = 'assigned'
    task.process = process
    process.tasks.push(task)
    const { timeout, attempts } = task.record.options
    task.timer = timeout === 0 ? null : this.#timer(timeout, () => this.#stop(task, 'timedOut'))
    if (task.starts - task.releases > attempts) return [`${taskId} started too often`]
    return attempt === task.starts ? [] : [`attempt ${attempt} of ${taskId} is ${task.starts}`]
  }

  #roomIn({ isOpen, tasks }: ModelProcess): number {
    return isOpen ? this.#plan.seatsPerWorker - tasks.length : 0
  }

  #hear(event: StageEvent): void {
    switch (event.type) {
      case 'task.submitted':
        return this.#accept(event.record)
      case 'task.cancel':
        return this.#cancel([this.tasks.get(event.record.id)], event.reason)
      case 'attempts.reported':
        return this.#report(event)
      case 'timers.due':
        return this.#ring()
      case 'worker.opened':
      case 'worker.closed':
        return this.#open(event)
      case 'worker.exited':
        return this.#lose(`${event.slot}#${event.incarnation}`, event.cause)
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
        return this.#cancel(this.waiting, 'shutdown')
      case 'tasks.cancelAll':
        return this.#cancel(this.unended, 'shutdown')
      case 'pool.failed':
        this.#failure = event.error
        return
      case 'xstate.stop':
        return this.#halt()
    }
  }

  #halt(): void {
    this.deeds.push('halted')
    for (const name of [...this.processes.keys()]) this.#lose(name, 'stopped')
    this.#failWaiting()
    this.#cancel(this.unended, 'shutdown')
  }

  #failWaiting(): void {
    if (this.#failure === null) return
    for (const task of this.waiting) this.#end(task, `failed ${this.#failure.code}`)
  }

  #accept(record: TaskRecord): void {
    if (this.unended.length === 0) this.deeds.push('occupied true')
    const { delay, deadline } = record.options
    const task: ModelTask = {
      record,
      state: 'submitted',
      starts: 0,
      releases: 0,
      kills: 0,
      reason: null,
      process: null,
      timer: null,
      deadlineAtMs: deadline === 0 ? Infinity : record.submittedAtMs + deadline,
    }
    this.tasks.set(record.id, task)
    if (delay === 0) return this.#enqueue(task, 'back')
    task.state = 'delayed'
    task.timer = this.#timer(delay, () => this.#enqueue(task, 'back'))
  }

  #enqueue(task: ModelTask, where: 'front' | 'back'): void {
    const { queueTimeout } = task.record.options
    task.state = 'queued'
    task.timer = null
    if (task.starts === 0 && queueTimeout > 0) {
      task.timer = this.#timer(queueTimeout, () => this.#end(task, 'failed TASK_EXPIRED'))
    }
    this.lanes.add(task, where)
  }

  #open(event: Of<'worker.opened'> | Of<'worker.closed'>): void {
    const name = `${event.slot}#${event.incarnation}`
    const process = this.processes.get(name)
    if (process !== undefined) process.isOpen = false
    else if (event.type === 'worker.opened') {
      this.processes.set(name, { name, slot: event.slot, isOpen: true, tasks: [] })
    }
  }

  #cancel(tasks: readonly (ModelTask | undefined)[], reason: CancelReason): void {
    for (const task of tasks) if (task !== undefined) this.#stop(task, reason)
  }

  /** Where it waits it ends; where it runs it is told to stop, and ends when it has. */
  #stop(task: ModelTask, reason: CancelReason): void {
    if (ENDS.includes(task.state)) return
    if (task.process === null) return this.#end(task, CODE_OF[reason])
    task.reason = reason
    if (task.state === 'cancelling') return
    task.state = 'cancelling'
    const { process, starts, record } = task
    const { cancelGraceMs, killAfterMs } = this.#plan
    const name = `${record.id}#${starts}`
    this.deeds.push(`abort ${name} at ${process.name}: ${reason}, ${cancelGraceMs} ms`)
    task.timer = this.#timer(Math.max(killAfterMs, 1), () => {
      this.deeds.push(`kill ${process.name}: cancelled`)
      task.timer = null
    })
  }

  #report({ slot, incarnation, reports }: Of<'attempts.reported'>): void {
    const process = this.processes.get(`${slot}#${incarnation}`)
    if (process === undefined) return
    let ended = 0
    for (const report of reports) {
      const task = this.tasks.get(report.taskId)
      if (task?.process !== process || task.starts !== report.attempt) continue
      if (report.kind === 'ended') {
        ended++
        this.#endAttempt(task, report)
        continue
      }
      if (report.kind === 'started' && task.state === 'assigned') task.state = 'running'
      const news = report.kind === 'started' ? 'started' : 'progressed'
      this.deeds.push(`${news} ${report.taskId}#${report.attempt}`)
    }
    if (ended > 0) this.deeds.push(`told ${process.name} of ${ended} ended`)
  }

  #endAttempt(task: ModelTask, report: Extract<AttemptReport, { kind: 'ended' }>): void {
    const { verdict } = report
    const failure = `failed ${report.error?.code}`
    // What starts and ends within one frame is told as both.
    if (task.state === 'assigned') this.deeds.push(`started ${task.record.id}#${task.starts}`)
    const wasStopped = this.#leave(task) === 'cancelling'
    if (verdict === 'ok') return this.#end(task, 'succeeded')
    if (wasStopped) return this.#endStopped(task)
    if (this.#isFree(verdict, task)) return this.#release(task)
    if (verdict === 'permanent') return this.#end(task, failure)
    this.#retry(task, failure)
  }

  #isFree(verdict: Verdict, { releases }: ModelTask): boolean {
    return verdict === 'released' && releases < MAX_RELEASES
  }

  #lose(name: string, cause: ExitCause): void {
    const process = this.processes.get(name)
    this.processes.delete(name)
    const tasks = process?.tasks.slice() ?? []
    const isAlone = tasks.length === 1
    const releases: ModelTask[] = []
    for (const task of tasks) {
      if (this.#leave(task) === 'cancelling') this.#endStopped(task)
      else if (BLAMELESS.includes(cause) && task.releases < MAX_RELEASES) releases.push(task)
      else this.#endLost(task, isAlone)
    }
    // They come back in the order they had.
    for (const task of releases.toReversed()) this.#release(task, 'alone')
  }

  #endLost(task: ModelTask, isAlone: boolean): void {
    if (isAlone) task.kills++
    const isPoison = isAlone && task.kills >= MAX_KILLS
    if (isPoison || !task.record.options.idempotent) return this.#end(task, 'failed WORKER_LOST')
    this.#retry(task, 'failed WORKER_LOST')
  }

  #endStopped(task: ModelTask): void {
    const reason = task.reason ?? 'requested'
    task.reason = null
    if (reason === 'timedOut') this.#retry(task, CODE_OF.timedOut)
    else this.#end(task, CODE_OF[reason])
  }

  #release(task: ModelTask, how: 'alone' | 'together' = 'together'): void {
    task.releases++
    if (how === 'alone') this.lanes.beginEvent()
    this.#enqueue(task, 'front')
  }

  #retry(task: ModelTask, failure: string): void {
    const failures = task.starts - task.releases
    const { attempts, backoff } = task.record.options
    if (failures >= attempts) return this.#end(task, failure)
    const { type, delay, maxDelay, jitter } = backoff
    const full = Math.min(type === 'fixed' ? delay : delay * 2 ** (failures - 1), maxDelay)
    const ms = Math.round(full + full * jitter * (2 * this.#plan.random - 1))
    task.state = 'backingOff'
    task.timer = this.#timer(Math.max(ms, 1), () => this.#enqueue(task, 'back'))
    this.#retried++
    this.deeds.push(`retried ${task.record.id}#${task.starts}`)
  }

  /** Off its process. Returns the state it left in. */
  #leave(task: ModelTask): State {
    task.process?.tasks.splice(task.process.tasks.indexOf(task), 1)
    task.process = null
    return task.state
  }

  #end(task: ModelTask, how: string): void {
    this.lanes.remove(task)
    task.state = how.split(' ', 1)[0] as State
    task.timer = null
    task.deadlineAtMs = Infinity
    this.deeds.push(`ended ${task.record.id} ${how}`)
    if (this.unended.length === 0) this.deeds.push('occupied false')
  }

  #ring(): void {
    for (const task of this.unended) {
      if (task.deadlineAtMs <= this.#nowMs) {
        task.deadlineAtMs = Infinity
        this.#stop(task, 'expired')
      }
      if (task.timer !== null && task.timer.atMs <= this.#nowMs) task.timer.ring()
    }
  }

  #timer(ms: number, ring: () => void): { atMs: number; ring: () => void } {
    return { atMs: this.#nowMs + ms, ring }
  }
}
