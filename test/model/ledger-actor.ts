/**
 * The ledger of the model: the compiled task machine that ships, over places and a queue as plain
 * data. It mirrors `src/ledger/ledger.ts` event for event; `test/model/ledger-mirror.test.ts` plays
 * both side by side.
 */
import type { EventObject } from 'xstate'
import type { TaskCommand, TaskEvent } from '../../machines/task.setup.ts'
import type { SlotId, Verdict } from '../../machines/protocol.ts'
import { step } from '../../src/ledger/task/task-table.ts'
import { LOST } from './host-actor.ts'
import {
  ACTIVE,
  canonicalLedger,
  cloneLedger,
  ENDED,
  type LedgerState,
  type ModelCapacity,
  type ModelTask,
  plannedTask,
  workerName,
} from './ledger-state.ts'
import type { LedgerPlan, LedgerMessage, SteerMessage, Step } from './ledger-messages.ts'
import type { PlainLogic, Sender } from './plain-actor.ts'

const slotIndex = (slot: string) => Number(slot.slice(7)) - 1

export function ledgerLogic(plan: LedgerPlan): PlainLogic<LedgerState> {
  return {
    initial: {
      tasks: Array.from({ length: plan.tasks }, () => plannedTask(plan.task)),
      queue: [],
      workers: [],
      open: [],
      turn: 0,
      holders: [],
      isDispatchDue: false,
      hasFailed: false,
      awaited: [],
    },
    clone: cloneLedger,
    canonical: (state) => (plan.isCanonical === false ? state : canonicalLedger(state, plan.task)),
    step: (state, event, sender) => new Round(state, sender, plan).receive(event),
  }
}

/** One event's worth of the ledger. */
class Round {
  readonly #state: LedgerState
  readonly #sender: Sender
  readonly #plan: LedgerPlan
  readonly #step: Step
  #from = ''
  #settled = 0

  constructor(state: LedgerState, sender: Sender, plan: LedgerPlan) {
    this.#state = state
    this.#sender = sender
    this.#plan = plan
    this.#step = plan.step ?? step
  }

  receive(event: EventObject): void {
    this.#receive(event as LedgerMessage)
    this.#notifyAwaited()
    for (const worker of this.#state.workers) {
      if (worker.tasks.length > this.#plan.tasksPerWorker)
        this.#sender.report('a place was taken twice')
    }
  }

  #receive(event: LedgerMessage): void {
    const state = this.#state
    switch (event.type) {
      case 'task.submitted':
        this.#task(event.task).isSubmitted = true
        return this.#move(event.task, { type: 'task.accepted' })
      case 'task.cancel':
        return this.#move(event.task, { type: 'task.cancel', reason: 'requested' })
      case 'task.sticks':
        this.#task(event.task).isStuck = true
        return
      case 'attempt.reported':
        return this.#report(event)
      case 'dispatch.due':
        return this.#dispatch()
      case 'timer.passed':
        return this.#expire(event.task)
      case 'deadline.passed':
        this.#task(event.task).hasDeadline = false
        return this.#move(event.task, { type: 'deadline.passed' })
      case 'worker.opened':
        state.workers.push({
          slot: event.slot,
          incarnation: event.incarnation,
          isOpen: true,
          tasks: [],
        })
        state.open.push(workerName(event))
        return this.#wantDispatch()
      case 'worker.closed':
        return this.#close(event)
      case 'worker.exited':
        return this.#lose(event)
      default:
        return this.#steer(event)
    }
  }

  #steer(event: SteerMessage): void {
    const state = this.#state
    switch (event.type) {
      case 'dispatch.hold':
        this.#hold(event.holder)
        return
      case 'dispatch.free':
        this.#free(event.holder)
        return this.#wantDispatch()
      case 'intake.open':
        this.#free('shutdown')
        state.hasFailed = false
        state.awaited = []
        return this.#wantDispatch()
      case 'intake.drain':
        this.#await('emptied')
        return
      case 'intake.close':
        this.#hold('shutdown')
        this.#await('calmed')
        return this.#moveAll(this.#waiting(), { type: 'task.cancel', reason: 'shutdown' })
      case 'tasks.cancelAll':
        return this.#moveAll(this.#living(), { type: 'task.cancel', reason: 'shutdown' })
      case 'tasks.abandon':
        state.holders = ['pool']
        state.hasFailed = true
        for (const worker of state.workers) this.#lose(halted(worker))
        return this.#moveAll(this.#living(), { type: 'pool.failed', error: LOST })
      case 'pool.failed':
        state.hasFailed = true
        return this.#moveAll(this.#waiting(), { type: 'pool.failed', error: LOST })
    }
  }

  #move(at: number, event: TaskEvent): void {
    const task = this.#task(at)
    const from = task.state
    const wasEnded = ENDED.has(from)
    this.#from = from
    this.#settled = 0
    const released = task.released
    const result = this.#step(task, event, (_, command) => this.#do(at, command))
    if (result === 'unexpected')
      this.#sender.report(`task does not expect ${event.type} in ${from}`)
    if (task.released > released) this.#sender.mark('task: released')
    if (from === task.state) return
    if (wasEnded) this.#sender.report('a task has left its end')
    if (this.#state.hasFailed) this.#move(at, { type: 'pool.failed', error: LOST })
  }

  #moveAll(tasks: readonly number[], event: TaskEvent): void {
    for (const at of tasks) this.#move(at, event)
  }

  #do(at: number, command: TaskCommand): void {
    const state = this.#state
    const task = this.#task(at)
    switch (command) {
      case 'task.enqueue': {
        const isReleased = this.#from === 'assigned' || this.#from === 'running'
        if (isReleased) state.queue.unshift(at)
        else state.queue.push(at)
        const mayExpire = task.attempt === 0 && this.#plan.task.hasQueueTimeout
        task.timer = mayExpire ? 'queueTimeout.passed' : null
        return this.#wantDispatch()
      }
      case 'task.dequeue':
        state.queue = state.queue.filter((other) => other !== at)
        return
      case 'timer.delay':
        task.timer = 'delay.passed'
        return
      case 'timer.backoff':
        task.timer = 'backoff.passed'
        return
      case 'timer.run':
        task.timer = this.#plan.task.hasTimeout ? 'timeout.passed' : null
        return
      case 'timer.grace':
        task.timer = 'grace.passed'
        return
      case 'timer.clear':
        task.timer = null
        return
      case 'worker.kill':
        task.timer = null
        return this.#killWorkerOf(at)
      case 'attempt.abort':
        if (this.#workerOf(at) === null)
          this.#sender.report('an attempt without a place was aborted')
        return
      case 'task.retry':
        return this.#sender.mark('task: retry')
      case 'task.settle':
        return this.#settle(at)
    }
  }

  #settle(at: number): void {
    const task = this.#task(at)
    this.#settled++
    if (ENDED.has(this.#from) || this.#settled > 1) this.#sender.report('a task has ended twice')
    if (task.kills >= 2) this.#sender.mark('task: quarantine')
    this.#sender.mark(`task: ${task.state}`)
    task.hasDeadline = false
    task.isStuck = false
  }

  #killWorkerOf(at: number): void {
    const worker = this.#workerOf(at)
    if (worker === null) return this.#sender.report('a task without a place asks for a kill')
    this.#sender.mark('task: kill past its grace')
    this.#sendWorker(worker, { type: 'worker.kill', cause: 'cancelled' })
  }

  #dispatch(): void {
    const state = this.#state
    state.isDispatchDue = false
    if (state.holders.length > 0) return
    const sent = new Map<ModelCapacity, number>()
    for (let at = state.queue[0]; at !== undefined; at = state.queue[0]) {
      const worker = this.#nextWorker()
      if (worker === null) break
      worker.tasks.push(at)
      this.#move(at, { type: 'attempt.assigned' })
      sent.set(worker, (sent.get(worker) ?? 0) + 1)
    }
    for (const [worker, count] of sent) {
      const tasks = Array.from({ length: count }, () => ({
        taskId: 'task',
        attempt: 1,
        order: null,
      }))
      this.#sendWorker(worker, { type: 'tasks.assigned', tasks })
    }
  }

  #nextWorker(): ModelCapacity | null {
    const state = this.#state
    const { length } = state.open
    for (let turn = 0; turn < length; turn++) {
      const name = state.open[(state.turn + turn) % length] as string
      const worker = state.workers.find((one) => workerName(one) === name) as ModelCapacity
      if (worker.tasks.length < this.#plan.tasksPerWorker) {
        state.turn = (state.turn + turn + 1) % length
        return worker
      }
    }
    return null
  }

  #report(event: Extract<LedgerMessage, { type: 'attempt.reported' }>): void {
    const worker = this.#find(event)
    const { task: at, attempt, verdict } = event
    if (worker === null) return
    const isOwn = this.#task(at).attempt === attempt && worker.tasks.includes(at)
    if (isOwn && verdict === 'started') this.#move(at, { type: 'attempt.started' })
    let count = 0
    if (isOwn && verdict !== 'started') count += this.#end(worker, at, verdict)
    for (const other of event.also ?? []) {
      if (worker.tasks.includes(other)) count += this.#end(worker, other, 'ok')
    }
    if (count === 0) return
    this.#sendWorker(worker, { type: 'tasks.ended', count })
    this.#wantDispatch()
  }

  #end(worker: ModelCapacity, at: number, verdict: Verdict): 1 {
    worker.tasks = worker.tasks.filter((other) => other !== at)
    this.#task(at).isStuck = false
    const error = verdict === 'ok' ? null : LOST
    this.#move(at, { type: 'attempt.ended', verdict, error })
    return 1
  }

  #lose(event: Extract<LedgerMessage, { type: 'worker.exited' }>): void {
    const worker = this.#find(event)
    if (worker === null) return
    this.#close(event)
    this.#state.workers = this.#state.workers.filter((other) => other !== worker)
    const alone = worker.tasks.length === 1
    for (const at of worker.tasks.toReversed()) {
      this.#task(at).isStuck = false
      this.#move(at, { type: 'attempt.lost', cause: event.cause, alone, error: LOST })
    }
  }

  #expire(at: number): void {
    const task = this.#task(at)
    const type = task.timer
    task.timer = null
    if (type === 'timeout.passed') this.#sender.mark('task: timed out')
    if (type !== null) this.#move(at, { type } as TaskEvent)
  }

  #close(process: { slot: string; incarnation: number }): void {
    const worker = this.#find(process)
    if (worker === null) return
    worker.isOpen = false
    this.#state.open = this.#state.open.filter((name) => name !== workerName(process))
  }

  #notifyAwaited(): void {
    const state = this.#state
    const isCalm = !state.tasks.some(({ state: of }) => ACTIVE.has(of))
    if (isCalm && state.awaited.includes('calmed'))
      this.#send('shutdown', 'ledger.calmed', 'calmed')
    const isEmpty = this.#living().length === 0
    if (isEmpty && state.awaited.includes('emptied'))
      this.#send('pool', 'ledger.emptied', 'emptied')
  }

  #send(to: 'shutdown' | 'pool', type: string, awaited: string): void {
    this.#state.awaited = this.#state.awaited.filter((other) => other !== awaited)
    this.#sender.say(to, 0, { type })
  }

  #sendWorker(worker: ModelCapacity, event: EventObject & Readonly<Record<string, unknown>>): void {
    this.#sender.say('worker', slotIndex(worker.slot), {
      ...event,
      incarnation: worker.incarnation,
    } as EventObject)
  }

  #task(at: number): ModelTask {
    return this.#state.tasks[at] as ModelTask
  }

  #find({ slot, incarnation }: { slot: string; incarnation: number }): ModelCapacity | null {
    return (
      this.#state.workers.find((one) => one.slot === slot && one.incarnation === incarnation) ??
      null
    )
  }

  #workerOf(at: number): ModelCapacity | null {
    return this.#state.workers.find(({ tasks }) => tasks.includes(at)) ?? null
  }

  #living(): number[] {
    return this.#state.tasks.flatMap(({ isSubmitted, state }, at) =>
      isSubmitted && !ENDED.has(state) ? [at] : [],
    )
  }

  #waiting(): number[] {
    return this.#living().filter((at) => this.#workerOf(at) === null)
  }

  #hold(holder: string): void {
    if (!this.#state.holders.includes(holder)) this.#state.holders.push(holder)
  }

  #free(holder: string): void {
    this.#state.holders = this.#state.holders.filter((other) => other !== holder)
  }

  #await(what: string): void {
    if (!this.#state.awaited.includes(what)) this.#state.awaited.push(what)
  }

  #wantDispatch(): void {
    this.#state.isDispatchDue = true
  }
}

function halted({
  slot,
  incarnation,
}: ModelCapacity): Extract<LedgerMessage, { type: 'worker.exited' }> {
  return { type: 'worker.exited', slot: slot as SlotId, incarnation, cause: 'stopped' }
}
