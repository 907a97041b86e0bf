/**
 * Plays a list of moves against the real ledger and says what is wrong: after each event, whether
 * it did what the model says, no more and no less; after each move, whether something is overdue;
 * at the end, whether anything is left.
 */
import type { TaskRecord } from '../../src/ledger/task/record.ts'
import { LedgerModel } from './ledger-model.ts'
import { type Ending, type Game, type Move, OK, play, reportOf } from './ledger-moves.ts'
import { type Fault, LedgerScenario, type ScenarioEvent } from './ledger-scenario.ts'

/** A timer may be this late. */
const MAX_LATE_MS = 1
/** Rounds of work in which all tasks must have ended, once nothing stands in their way. */
const MAX_ROUNDS = 200
const ROUND_MS = 50
const MAX_LETTERS = 1_000
const HOLDERS = ['pool', 'memory', 'breaker', 'shutdown'] as const

class Referee {
  readonly scenario: LedgerScenario
  readonly model: LedgerModel
  readonly wrong: string[] = []

  /** Everything the ledger ever did: by kind, and in its order. */
  readonly seen = new Set<string>()
  readonly trace: string[] = []
  readonly #reactions: Move[]
  readonly #admitted: (readonly TaskRecord[])[] = []
  /** Dead letters that another task has made needless. */
  readonly #met: string[] = []
  #isOccupied = false
  #retried = 0

  constructor({ plan, reactions }: Pick<Game, 'plan' | 'reactions'>, fault: Fault | null = null) {
    this.scenario = new LedgerScenario(plan, fault)
    this.model = new LedgerModel(plan)
    this.#reactions = [...reactions]
    this.scenario.judge = (event) => this.#judge(event)
    this.scenario.onAdmitted = (records) => {
      this.#admitted.push(records)
      if (!this.scenario.isBusy) this.#admit()
    }
    this.scenario.onLetterMet = (id) => {
      this.seen.add('a letter was met by a key')
      this.#met.push(id)
      if (!this.scenario.isBusy) this.#admit()
    }
    this.scenario.onAsked = (key, found) => {
      // In the middle of an event, the ledger knows more than the model has heard.
      if (!this.scenario.isBusy) this.#compareStandIn(key, found)
    }
    this.scenario.onEvent = () => {
      this.#compareCounts('at the news')
      const reaction = this.#reactions.shift()
      if (reaction !== undefined) play(this.scenario, reaction)
    }
  }

  /** Makes the move. True while nothing is wrong. */
  play(move: Move): boolean {
    play(this.scenario, move)
    if (move.do === 'pass' || move.do === 'settle') this.#checkWork()
    this.#checkTimers()
    this.#compareLetters()
    return this.wrong.length === 0
  }

  /** Brings the ledger to its end, one way or another, and looks for what is left. */
  end(how: Ending): void {
    this.#reactions.length = 0
    if (how === 'shutdown') this.#shutDown()
    else if (how === 'halt') this.scenario.halt()
    else this.#finish()
    this.scenario.clock.settle()
    this.#checkNothingLeft(how)
  }

  /** What of the ways round a start has come up. */
  #noteFlow(event: ScenarioEvent, answered: readonly TaskRecord[]): void {
    const { all } = this.model
    const unended = all.filter(({ hasEnded }) => !hasEnded)
    if (unended.some(({ record, state }) => state === 'queued' && answered.includes(record))) {
      this.seen.add('answered in the queue')
    }
    if (event.type === 'task.submitted' && event.record.cached) this.seen.add('answered at once')
    if (all.some(({ state }) => state === 'blocked')) this.seen.add('blocked')
    if (all.length > this.model.tasks.size) this.seen.add('redriven')
  }

  #compareStandIn(key: string, found: TaskRecord | null): void {
    if (found !== null) this.seen.add(`stood in ${found.state === 'succeeded'}`)
    const must = this.model.standIn(key, this.scenario.clock.nowMs())?.record ?? null
    if (found === must) return
    this.wrong.push(`for the key ${key} stands ${found?.id ?? 'none'}, not ${must?.id ?? 'none'}`)
  }

  #judge(event: ScenarioEvent): void {
    const { scenario, model } = this
    const answered = scenario.records.filter(({ cached }) => cached)
    this.#noteFlow(event, answered)
    const rounds = scenario.takeAssignments()
    this.wrong.push(...model.hear(event, scenario.clock.nowMs(), answered, rounds))
    this.#admit()
    if (rounds.length > 0 && event.type !== 'dispatch.due') {
      this.wrong.push(`assigned at ${event.type}`)
    }
    const must = model.takeActions().toSorted()
    const did = this.#takeActions().toSorted()
    this.trace.push(event.type, ...did, JSON.stringify(rounds))
    for (const action of did) this.seen.add(kindOf(action))
    this.#retried += must.filter((action) => action.startsWith('retried')).length
    if (must.join('\n') !== did.join('\n')) {
      const list = (actions: string[], others: string[]) =>
        actions.filter((action) => !others.includes(action)).join('; ')
      this.wrong.push(
        `at ${event.type} it did not: ${list(must, did)} — it did: ${list(did, must)}` +
          ` (${did.length} actions for ${must.length})`,
      )
    }
    for (const { record, state, starts } of model.all) {
      if (record.state !== state || record.attempt !== starts) {
        const is = `${record.state}#${record.attempt}`
        this.wrong.push(`after ${event.type} ${record.id} is ${is}, not ${state}#${starts}`)
      }
    }
    this.#compareCounts(`after ${event.type}`)
    this.#compareWorkers(event)
  }

  /** What was submitted in the middle of an event came after it. */
  #admit(): void {
    for (const records of this.#admitted.splice(0)) this.model.admit(records)
    for (const id of this.#met.splice(0)) this.model.letters.delete(id)
  }

  /**
   * Whether there are tasks is told by turns; the rest of the actions is for the model to compare.
   */
  #takeActions(): string[] {
    const actions = this.scenario.takeActions()
    for (const action of actions) {
      if (action === `occupied ${this.#isOccupied}`) this.wrong.push(`told again: ${action}`)
      if (action.startsWith('occupied')) this.#isOccupied = !this.#isOccupied
    }
    if (this.#isOccupied !== this.model.unended.length > 0) {
      this.wrong.push(`it said last: occupied ${this.#isOccupied}`)
    }
    return actions.filter((action) => !action.startsWith('occupied'))
  }

  /**
   * The counts against a recount: at any time of the records, after an event also of the model's.
   */
  #compareCounts(when: string): void {
    const { ledger, records } = this.scenario
    const among = (...states: string[]) =>
      records.filter(({ state }) => states.includes(state)).length
    const recount = {
      pending: among('submitted', 'blocked', 'delayed', 'queued', 'backingOff'),
      active: among('assigned', 'running', 'cancelling'),
      succeeded: among('succeeded'),
      failed: among('failed'),
      cancelled: among('cancelled'),
    }
    const counted = Object.fromEntries(
      Object.keys(recount).map((name) => [name, ledger.counts[name as keyof typeof recount]]),
    )
    const [is, must] = [JSON.stringify(counted), JSON.stringify(recount)]
    if (is !== must) this.wrong.push(`${when} the counts are ${is}, not ${must}`)
  }

  #compareWorkers(event: ScenarioEvent): void {
    const { ledger } = this.scenario
    const { model } = this
    const open = [...model.processes.values()].filter(({ isOpen }) => isOpen)
    const must = {
      submitted: model.all.length,
      retried: this.#retried,
      queued: model.buckets.size,
      used: open.reduce((sum, { tasks }) => sum + tasks.length, 0),
      capacity: open.length * this.scenario.plan.tasksPerWorker,
      known: model.unended.map(({ record }) => record.id),
    }
    const is = {
      submitted: ledger.counts.submitted,
      retried: ledger.counts.retried,
      queued: ledger.queued,
      used: ledger.workers.used,
      capacity: ledger.workers.capacity,
      known: model.all
        .filter(
          ({ record }) => ledger.has(record.id) && model.tasks.get(record.id)?.record === record,
        )
        .map(({ record }) => record.id),
    }
    if (JSON.stringify(is) === JSON.stringify(must)) return
    this.wrong.push(`after ${event.type} it has ${JSON.stringify(is)}, not ${JSON.stringify(must)}`)
  }

  #compareLetters(): void {
    const { letters } = this.scenario.deadLetters.list({}, 0, MAX_LETTERS)
    const events = letters.map(({ id }) => this.model.letters.get(id) ?? -1)
    // Of those that failed in one event, the order is free.
    const isInOrder = events.every((event, index) => event >= (events[index - 1] ?? 0))
    if (isInOrder && letters.length === this.model.letters.size) return
    const [is, must] = [letters.map(({ id }) => id).join(), [...this.model.letters.keys()].join()]
    this.wrong.push(`the dead letters are ${is}, not ${must}`)
  }

  #checkWork(): void {
    if (this.model.hasWork) this.wrong.push('a task waits beside a free place')
  }

  #checkTimers(): void {
    const lateMs = this.scenario.clock.nowMs() - MAX_LATE_MS
    for (const { record, timer, deadlineAtMs, state } of this.model.unended) {
      if (deadlineAtMs < lateMs) this.wrong.push(`the deadline of ${record.id} is overdue`)
      if ((timer?.atMs ?? Infinity) < lateMs) {
        this.wrong.push(`the timer of ${record.id}, ${state}, is overdue`)
      }
    }
  }

  #shutDown(): void {
    const { scenario } = this
    scenario.send({ type: 'intake.close' })
    scenario.clock.advance(ROUND_MS)
    scenario.send({ type: 'tasks.cancelAll' })
    scenario.clock.advance(ROUND_MS)
    for (const process of scenario.processes.slice()) scenario.exit(process, 'stopped')
  }

  /** Nothing goes wrong any more: whatever has not ended must come to its end by itself. */
  #finish(): void {
    const { scenario } = this
    scenario.send({ type: 'intake.open' })
    for (const holder of HOLDERS) scenario.send({ type: 'dispatch.free', holder })
    for (const process of scenario.processes.slice()) scenario.exit(process, 'recycled')
    const process = scenario.open('worker-1')
    for (let round = 0; this.model.unended.length > 0; round++) {
      if (round > MAX_ROUNDS) return void this.wrong.push('the work does not come to an end')
      scenario.clock.settle()
      this.#checkWork()
      const reports = process.attempts.map(({ taskId, attempt }) => reportOf(OK, taskId, attempt))
      if (reports.length > 0) scenario.report(process, reports)
      else scenario.clock.advance(ROUND_MS)
      this.#checkTimers()
    }
  }

  #checkNothingLeft(how: Ending): void {
    const { clock, ledger, records } = this.scenario
    for (const record of records) {
      const { id, state, isQueued, heapIndex, timerAtMs, deadlineAtMs, previous, next } = record
      const isBare = !isQueued && heapIndex === -1 && previous === null && next === null
      if (!['succeeded', 'failed', 'cancelled'].includes(state)) {
        this.wrong.push(`${id} is ${state} after ${how}`)
      }
      if (!isBare || timerAtMs !== 0 || deadlineAtMs !== 0 || ledger.has(id)) {
        this.wrong.push(`something is left of ${id} after ${how}`)
      }
    }
    if (ledger.queued !== 0) this.wrong.push(`${ledger.queued} tasks are queued after ${how}`)
    if (clock.timers !== 0) this.wrong.push(`the clock has a timer after ${how}`)
  }
}

/** An action without its names and numbers. */
function kindOf(action: string): string {
  return action.replace(/ (?:at )?(?:worker-|t)?\d+(?:#\d+)?(?: ms)?/g, '').replace(',', '')
}

/** Plays to the end, or until something is wrong. */
export function referee(game: Game, fault: Fault | null = null): Referee {
  const judged = new Referee(game, fault)
  for (const move of game.moves) if (!judged.play(move)) return judged
  judged.end(game.ending)
  return judged
}
