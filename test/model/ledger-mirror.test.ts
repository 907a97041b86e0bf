/**
 * The model's ledger is a copy in plain data of the real one. Here both play the same random games
 * side by side, and must say the same words in the same order and leave every task in the same
 * state.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { EventObject } from 'xstate'
import type { SlotId, Verdict } from '../../machines/protocol.ts'
import type { LedgerEvent } from '../../src/ledger/events.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { TaskRecord } from '../../src/ledger/task/record.ts'
import { MemoryDeadLetters } from '../../src/ledger/results/dead-letters.ts'
import { MemoryResultCache } from '../../src/ledger/results/result-cache.ts'
import { DEFAULT_TASK_OPTIONS } from '../../src/config/task-options.ts'
import { LOST } from './host-actor.ts'
import { ledgerLogic } from './ledger-actor.ts'
import { ENDED } from './ledger-state.ts'
import { Messages } from './memo.ts'
import { PlainActor } from './plain-actor.ts'
import { PLAIN_TASK } from './plan.ts'

const TASKS = 4
const CAPACITY = 2
const SLOTS: readonly SlotId[] = ['worker-1', 'worker-2']
const GAMES = 1_000
const MOVES = 80
const EXIT = { code: null, signal: 'SIGKILL' }
const CAUSES = ['crashed', 'stopped', 'memory', 'memoryShortage', 'silent'] as const
const VERDICTS: readonly Verdict[] = ['ok', 'retryable', 'permanent', 'cancelled', 'released']

/** Games in which less happens would prove less. */
const EVERYTHING = [
  'ledger.calmed',
  'ledger.emptied',
  'task: cancelled',
  'task: failed',
  'task: kill past its grace',
  'task: quarantine',
  'task: released',
  'task: retry',
  'task: succeeded',
  'task: timed out',
  'tasks.assigned',
  'tasks.ended',
  'worker.kill',
]

/** Both ledgers, and the draws that say what happens. */
class Mirror {
  /** What has happened in this game. */
  readonly seen = new Set<string>()
  readonly #draws: readonly number[]
  #next = 0
  #nowMs = 0
  #jitter = 0
  readonly #incarnations: Record<string, number> = {}
  readonly #workers: { slot: SlotId; incarnation: number }[] = []
  #said: string[] = []
  readonly #real: Ledger
  readonly #records: TaskRecord[]
  readonly #messages = new Messages()
  readonly #model = new PlainActor(
    ledgerLogic({ tasks: TASKS, tasksPerWorker: CAPACITY, task: PLAIN_TASK, isCanonical: false }),
    this.#messages,
  )
  #state = this.#model.initial
  #isRealDispatchDue = false

  constructor(draws: readonly number[]) {
    this.#draws = draws
    this.#real = this.#makeReal()
    this.#records = Array.from({ length: TASKS }, (_, at) => {
      const options = {
        ...DEFAULT_TASK_OPTIONS,
        attempts: PLAIN_TASK.attempts,
        // No two timers are ever due at once, or their order would be the heap's secret.
        timeout: 1_000_000 + 10_000 * at,
        backoff: { type: 'fixed', delay: 10_000, maxDelay: 10_000, jitter: 0.5 } as const,
      }
      return new TaskRecord(`t${at}`, 'noop', null, options, 0)
    })
  }

  play(): void {
    for (let move = 0; move < MOVES; move++) {
      this.#nowMs++
      this.#move()
      expect(this.#shapeOfReal()).toEqual(this.#shapeOfModel())
    }
  }

  #draw(below: number): number {
    const draw = this.#draws[this.#next++ % this.#draws.length] as number
    return (draw + this.#next) % below
  }

  #pick<T>(items: readonly T[]): T | undefined {
    return items.length === 0 ? undefined : items[this.#draw(items.length)]
  }

  #move(): void {
    const moves = [
      () => this.#submit(),
      () => this.#submit(),
      () => this.#open(),
      () => this.#report(),
      () => this.#report(),
      () => this.#report(),
      () => this.#dispatch(),
      () => this.#dispatch(),
      () => this.#dispatch(),
      () => this.#fire(),
      () => this.#fire(),
      () => this.#close('worker.closed'),
      () => this.#close('worker.exited'),
      () => this.#cancel(),
      () => this.#steer(),
    ]
    this.#pick(moves)?.()
  }

  #submit(): void {
    const at = this.#records.findIndex(
      (record) => !this.#tasks()[this.#records.indexOf(record)]?.isSubmitted,
    )
    if (at < 0) return
    this.#both(
      { type: 'task.submitted', record: this.#record(at) },
      { type: 'task.submitted', task: at },
    )
  }

  #cancel(): void {
    const at = this.#draw(TASKS)
    const task = this.#tasks()[at]
    if (!task?.isSubmitted || ENDED.has(task.state)) return
    this.#both(
      { type: 'task.cancel', record: this.#record(at), reason: 'requested' },
      { type: 'task.cancel', task: at },
    )
  }

  #open(): void {
    const slot = this.#pick(SLOTS) as SlotId
    const incarnation = (this.#incarnations[slot] ?? 0) + 1
    this.#incarnations[slot] = incarnation
    this.#workers.push({ slot, incarnation })
    this.#same({ type: 'worker.opened', slot, incarnation })
  }

  #close(type: 'worker.closed' | 'worker.exited'): void {
    const process = this.#pick(this.#workers)
    if (process === undefined) return
    if (type === 'worker.closed') return this.#same({ type, ...process })
    this.#workers.splice(this.#workers.indexOf(process), 1)
    const cause = this.#pick(CAUSES) ?? 'crashed'
    this.#same({ type, ...process, cause, exit: EXIT, error: null })
  }

  /** Of any attempt in any process: most of it is stale. */
  #report(): void {
    const process = this.#pick(this.#workers)
    const at = this.#draw(TASKS)
    const task = this.#tasks()[at]
    if (process === undefined || !task?.isSubmitted) return
    const attempt = Math.max(task.attempt - (this.#draw(4) === 0 ? 1 : 0), 0)
    const taskId = `t${at}`
    const verdict = this.#draw(4) === 0 ? 'started' : (this.#pick(VERDICTS) as Verdict)
    const error = verdict === 'ok' ? {} : { error: LOST }
    const report =
      verdict === 'started'
        ? ({ kind: 'started', taskId, attempt } as const)
        : ({ kind: 'ended', taskId, attempt, verdict, ...error } as const)
    const also = this.#draw(8) === 0 ? this.#others(at) : []
    const more = also.map(({ id, attempt: current }) => {
      return { kind: 'ended', taskId: id, attempt: current, verdict: 'ok' } as const
    })
    const others = also.map((record) => this.#records.indexOf(record))
    this.#both(
      { type: 'attempts.reported', ...process, reports: [report, ...more] },
      { type: 'attempt.reported', ...process, task: at, attempt, verdict, also: others },
    )
  }

  #others(at: number): TaskRecord[] {
    return this.#records.filter((_, other) => other !== at && this.#tasks()[other]?.isSubmitted)
  }

  #dispatch(): void {
    expect(this.#model.at(this.#state).isDispatchDue).toBe(this.#isRealDispatchDue)
    if (!this.#isRealDispatchDue) return
    this.#isRealDispatchDue = false
    this.#same({ type: 'dispatch.due' })
  }

  /** The time of the earliest timer comes. */
  #fire(): void {
    const armed = this.#records.filter(({ timerAtMs }) => timerAtMs !== 0)
    if (armed.length === 0) return
    const atMs = Math.min(...armed.map(({ timerAtMs }) => timerAtMs))
    const due = armed.filter(({ timerAtMs }) => timerAtMs === atMs)
    expect(due).toHaveLength(1)
    this.#nowMs = atMs
    const task = this.#records.indexOf(due[0] as TaskRecord)
    this.#both({ type: 'timers.due' }, { type: 'timer.passed', task })
  }

  #steer(): void {
    const holder = 'memory' as const
    const event = this.#pick<LedgerEvent>([
      { type: 'dispatch.hold', holder },
      { type: 'dispatch.free', holder },
      { type: 'dispatch.free', holder },
      { type: 'intake.open' },
      { type: 'intake.open' },
      { type: 'intake.open' },
      { type: 'intake.drain' },
      { type: 'intake.close' },
      { type: 'tasks.cancelAll' },
      { type: 'pool.failed', error: LOST },
    ])
    if (event) this.#same(event)
  }

  #same(event: LedgerEvent): void {
    this.#both(event, event as EventObject)
  }

  #both(real: LedgerEvent, modelled: EventObject & Readonly<Record<string, unknown>>): void {
    this.#said = []
    this.#real.receive(real)
    const result = this.#model.take(this.#state, this.#messages.id(modelled), 0)
    this.#state = result.next
    expect(result.violation).toBeNull()
    const messages = result.out.map(({ to, slot, event }) => {
      const said = this.#messages.event(event) as EventObject & Readonly<Record<string, unknown>>
      return messageOf(to === 'worker' ? `worker-${slot + 1}` : to, said)
    })
    expect(messages).toEqual(this.#said)
    for (const mark of result.marks) this.seen.add(mark)
    for (const message of messages) this.seen.add(message.split(' ')[1] as string)
  }

  #tasks() {
    return this.#model.at(this.#state).tasks
  }

  #record(at: number): TaskRecord {
    return this.#records[at] as TaskRecord
  }

  #shapeOfReal() {
    return {
      queued: this.#real.queued,
      tasks: this.#records.map(
        ({ state, attempt, released, kills, reason, worker, timerEvent }, at) => {
          const isSeated = worker?.tasks.has(this.#record(at)) === true
          return { state, attempt, released, kills, reason, isSeated, timer: timerEvent }
        },
      ),
    }
  }

  #shapeOfModel() {
    const { queue, tasks, workers } = this.#model.at(this.#state)
    return {
      queued: queue.length,
      tasks: tasks.map(({ state, attempt, released, kills, reason, timer }, at) => {
        const isSeated = workers.some((worker) => worker.tasks.includes(at))
        return { state, attempt, released, kills, reason, isSeated, timer }
      }),
    }
  }

  #makeReal(): Ledger {
    const say = (to: string, event: EventObject) => this.#said.push(messageOf(to, event))
    return new Ledger(
      { tasksPerWorker: CAPACITY, cancelGraceMs: 1, cacheTtlMs: 0 },
      {
        clock: {
          nowMs: () => this.#nowMs,
          after: () => () => undefined,
          defer: () => {
            this.#isRealDispatchDue = true
          },
        },
        random: () => (this.#jitter++ % 5_000) / 5_000,
        wallMs: () => this.#nowMs,
        deadLetters: new MemoryDeadLetters(),
        resultCache: new MemoryResultCache(),
        sendWorker: (slot, event) => say(slot, event),
        sendPool: (event) => say('pool', event),
        sendShutdown: (event) => say('shutdown', event),
        abort: () => undefined,
        killAfterMs: () => 100_000 + this.#jitter++,
        report: () => undefined,
        occupied: () => undefined,
        unexpected: (state, type) => expect.fail(`${type} was not expected in ${state}`),
        halted: () => undefined,
      },
      () => undefined,
    )
  }
}

/** A word, without what only the real one carries. */
function messageOf(
  to: string,
  event: EventObject & { readonly tasks?: unknown; readonly incarnation?: unknown },
): string {
  const count = Array.isArray(event.tasks)
    ? event.tasks.length
    : 'count' in event
      ? event.count
      : ''
  return `${to}: ${event.type} ${String(event.incarnation ?? '')} ${String(count)}`
}

it('the ledger of the model does what the real one does', () => {
  const seen = new Set<string>()
  const draws = fc.array(fc.nat({ max: 10_000 }), { minLength: MOVES, maxLength: 4 * MOVES })
  fc.assert(
    fc.property(draws, (all) => {
      const mirror = new Mirror(all)
      mirror.play()
      for (const what of mirror.seen) seen.add(what)
    }),
    { numRuns: GAMES, seed: 1 },
  )
  expect([...seen].toSorted()).toEqual(EVERYTHING)
})
