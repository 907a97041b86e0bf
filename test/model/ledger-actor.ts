/**
 * The ledger of the model: the compiled task machine that ships, over seats and a queue as plain
 * data. It mirrors `src/ledger/ledger.ts` event for event; `test/model/ledger-mirror.test.ts` plays
 * both side by side.
 */
import type { EventObject } from 'xstate'
import type { TaskCommand, TaskEvent } from '../../machines/task-facts.ts'
import type { SlotId, Verdict } from '../../machines/vocabulary.ts'
import { step } from '../../src/ledger/compile.ts'
import { LOST } from './host-actor.ts'
import {
  ACTIVE,
  canonicalLedger,
  cloneLedger,
  ENDED,
  type LedgerState,
  type ModelSeat,
  type ModelTask,
  plannedTask,
  seatName,
} from './ledger-state.ts'
import type { LedgerPlan, LedgerWord, SteerWord, Step } from './ledger-words.ts'
import type { PlainLogic, Voice } from './plain-actor.ts'

const slotIndex = (slot: string) => Number(slot.slice(7)) - 1

export function ledgerLogic(plan: LedgerPlan): PlainLogic<LedgerState> {
  return {
    initial: {
      tasks: Array.from({ length: plan.tasks }, () => plannedTask(plan.task)),
      queue: [],
      seats: [],
      open: [],
      turn: 0,
      holders: [],
      isDispatchDue: false,
      hasFailed: false,
      awaited: [],
    },
    clone: cloneLedger,
    canonical: (state) => (plan.isCanonical === false ? state : canonicalLedger(state, plan.task)),
    step: (state, event, voice) => new Round(state, voice, plan).receive(event),
  }
}

/** One event's worth of the ledger. */
class Round {
  readonly #state: LedgerState
  readonly #voice: Voice
  readonly #plan: LedgerPlan
  readonly #step: Step
  #from = ''
  #settled = 0

  constructor(state: LedgerState, voice: Voice, plan: LedgerPlan) {
    this.#state = state
    this.#voice = voice
    this.#plan = plan
    this.#step = plan.step ?? step
  }

  receive(event: EventObject): void {
    this.#receive(event as LedgerWord)
    this.#tellAwaited()
    for (const seat of this.#state.seats) {
      if (seat.tasks.length > this.#plan.seatsPerWorker) this.#voice.blame('a seat was taken twice')
    }
  }

  #receive(event: LedgerWord): void {
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
        state.seats.push({
          slot: event.slot,
          incarnation: event.incarnation,
          isOpen: true,
          tasks: [],
        })
        state.open.push(seatName(event))
        return this.#wantDispatch()
      case 'worker.closed':
        return this.#close(event)
      case 'worker.exited':
        return this.#lose(event)
      default:
        return this.#steer(event)
    }
  }

  #steer(event: SteerWord): void {
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
        for (const seat of state.seats) this.#lose(halted(seat))
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
    if (result === 'unexpected') this.#voice.blame(`task does not expect ${event.type} in ${from}`)
    if (task.released > released) this.#voice.mark('task: released')
    if (from === task.state) return
    if (wasEnded) this.#voice.blame('a task has left its end')
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
        return this.#killSeatOf(at)
      case 'attempt.abort':
        if (this.#seatOf(at) === null) this.#voice.blame('an attempt without a seat was aborted')
        return
      case 'task.retry':
        return this.#voice.mark('task: retry')
      case 'task.settle':
        return this.#settle(at)
    }
  }

  #settle(at: number): void {
    const task = this.#task(at)
    this.#settled++
    if (ENDED.has(this.#from) || this.#settled > 1) this.#voice.blame('a task has ended twice')
    if (task.kills >= 2) this.#voice.mark('task: quarantine')
    this.#voice.mark(`task: ${task.state}`)
    task.hasDeadline = false
    task.isStuck = false
  }

  #killSeatOf(at: number): void {
    const seat = this.#seatOf(at)
    if (seat === null) return this.#voice.blame('a task without a seat asks for a kill')
    this.#voice.mark('task: kill past its grace')
    this.#tellWorker(seat, { type: 'worker.kill', cause: 'cancelled' })
  }

  #dispatch(): void {
    const state = this.#state
    state.isDispatchDue = false
    if (state.holders.length > 0) return
    const sent = new Map<ModelSeat, number>()
    for (let at = state.queue[0]; at !== undefined; at = state.queue[0]) {
      const seat = this.#nextSeat()
      if (seat === null) break
      seat.tasks.push(at)
      this.#move(at, { type: 'attempt.assigned' })
      sent.set(seat, (sent.get(seat) ?? 0) + 1)
    }
    for (const [seat, count] of sent) {
      const tasks = Array.from({ length: count }, () => ({
        taskId: 'task',
        attempt: 1,
        order: null,
      }))
      this.#tellWorker(seat, { type: 'tasks.assigned', tasks })
    }
  }

  #nextSeat(): ModelSeat | null {
    const state = this.#state
    const { length } = state.open
    for (let turn = 0; turn < length; turn++) {
      const name = state.open[(state.turn + turn) % length] as string
      const seat = state.seats.find((one) => seatName(one) === name) as ModelSeat
      if (seat.tasks.length < this.#plan.seatsPerWorker) {
        state.turn = (state.turn + turn + 1) % length
        return seat
      }
    }
    return null
  }

  #report(event: Extract<LedgerWord, { type: 'attempt.reported' }>): void {
    const seat = this.#find(event)
    const { task: at, attempt, verdict } = event
    if (seat === null) return
    const isOwn = this.#task(at).attempt === attempt && seat.tasks.includes(at)
    if (isOwn && verdict === 'started') this.#move(at, { type: 'attempt.started' })
    let count = 0
    if (isOwn && verdict !== 'started') count += this.#end(seat, at, verdict)
    for (const other of event.also ?? []) {
      if (seat.tasks.includes(other)) count += this.#end(seat, other, 'ok')
    }
    if (count === 0) return
    this.#tellWorker(seat, { type: 'tasks.ended', count })
    this.#wantDispatch()
  }

  #end(seat: ModelSeat, at: number, verdict: Verdict): 1 {
    seat.tasks = seat.tasks.filter((other) => other !== at)
    this.#task(at).isStuck = false
    const error = verdict === 'ok' ? null : LOST
    this.#move(at, { type: 'attempt.ended', verdict, error })
    return 1
  }

  #lose(event: Extract<LedgerWord, { type: 'worker.exited' }>): void {
    const seat = this.#find(event)
    if (seat === null) return
    this.#close(event)
    this.#state.seats = this.#state.seats.filter((other) => other !== seat)
    const alone = seat.tasks.length === 1
    for (const at of seat.tasks.toReversed()) {
      this.#task(at).isStuck = false
      this.#move(at, { type: 'attempt.lost', cause: event.cause, alone, error: LOST })
    }
  }

  #expire(at: number): void {
    const task = this.#task(at)
    const type = task.timer
    task.timer = null
    if (type === 'timeout.passed') this.#voice.mark('task: timed out')
    if (type !== null) this.#move(at, { type } as TaskEvent)
  }

  #close(process: { slot: string; incarnation: number }): void {
    const seat = this.#find(process)
    if (seat === null) return
    seat.isOpen = false
    this.#state.open = this.#state.open.filter((name) => name !== seatName(process))
  }

  #tellAwaited(): void {
    const state = this.#state
    const isCalm = !state.tasks.some(({ state: of }) => ACTIVE.has(of))
    if (isCalm && state.awaited.includes('calmed'))
      this.#tell('shutdown', 'ledger.calmed', 'calmed')
    const isEmpty = this.#living().length === 0
    if (isEmpty && state.awaited.includes('emptied'))
      this.#tell('pool', 'ledger.emptied', 'emptied')
  }

  #tell(to: 'shutdown' | 'pool', type: string, awaited: string): void {
    this.#state.awaited = this.#state.awaited.filter((other) => other !== awaited)
    this.#voice.say(to, 0, { type })
  }

  #tellWorker(seat: ModelSeat, event: EventObject & Readonly<Record<string, unknown>>): void {
    this.#voice.say('worker', slotIndex(seat.slot), {
      ...event,
      incarnation: seat.incarnation,
    } as EventObject)
  }

  #task(at: number): ModelTask {
    return this.#state.tasks[at] as ModelTask
  }

  #find({ slot, incarnation }: { slot: string; incarnation: number }): ModelSeat | null {
    return (
      this.#state.seats.find((one) => one.slot === slot && one.incarnation === incarnation) ?? null
    )
  }

  #seatOf(at: number): ModelSeat | null {
    return this.#state.seats.find(({ tasks }) => tasks.includes(at)) ?? null
  }

  #living(): number[] {
    return this.#state.tasks.flatMap(({ isSubmitted, state }, at) =>
      isSubmitted && !ENDED.has(state) ? [at] : [],
    )
  }

  #waiting(): number[] {
    return this.#living().filter((at) => this.#seatOf(at) === null)
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

function halted({ slot, incarnation }: ModelSeat): Extract<LedgerWord, { type: 'worker.exited' }> {
  return { type: 'worker.exited', slot: slot as SlotId, incarnation, cause: 'stopped' }
}
