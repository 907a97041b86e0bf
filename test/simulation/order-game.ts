/**
 * Games of random moves against the real ledger's order: groups with limits, priorities, ageing,
 * requirements, sessions, affinities, strategies, workers that come and go. After each move no task
 * may wait beside a worker with room for it; at the end every task has ended, each once.
 */
import fc from 'fast-check'
import type { SlotId } from '../../machines/protocol.ts'
import type { OrderPolicy } from '../../src/config/order-plan.ts'
import type { TaskRecord } from '../../src/ledger/task/record.ts'
import { OrderModel } from './order-model.ts'
import { OrderScenario, type ScenarioProcess } from './order-scenario.ts'

const SLOTS = ['worker-1', 'worker-2', 'worker-3'] as const
const SESSIONS = ['default', 'shop', 'bank'] as const
const CAPABILITIES = { 'worker-1': ['vpn', 'print'], 'worker-2': ['vpn'] } as const
const MAX_MOVES = 60
/** Enough for a worker to have had its fill of one affinity. */
const MANY = 30
const ROUND_MS = 500
const MAX_ROUNDS = 400

interface DrawnTask {
  readonly priority: number
  readonly group: string | undefined
  readonly requires: readonly string[] | undefined
  readonly affinity: string | undefined
  readonly session: string
  readonly name: string
}
type OrderMove =
  | { readonly do: 'submit'; readonly count: number; readonly task: DrawnTask }
  | { readonly do: 'start' | 'ready' | 'fail' | 'exit'; readonly pick: number }
  | { readonly do: 'end'; readonly pick: number; readonly verdict: 'ok' | 'retryable' | 'released' }
  | { readonly do: 'cancel'; readonly pick: number }
  | { readonly do: 'limit'; readonly group: string; readonly limit: number }
  | { readonly do: 'hold' | 'free' }
  | { readonly do: 'pass'; readonly ms: number }
export interface OrderGame {
  readonly order: OrderPolicy
  readonly tasksPerWorker: number
  readonly hasSessions: boolean
  readonly moves: readonly OrderMove[]
}

const pick = fc.nat({ max: 30 })
const maybe = <T>(...some: T[]) => fc.constantFrom(undefined, undefined, ...some)
const task: fc.Arbitrary<DrawnTask> = fc.record({
  priority: fc.constantFrom(10, 10, 10, 0, 20, 100),
  group: maybe('a', 'b', 'c'),
  requires: maybe<readonly string[] | undefined>(undefined, ['vpn'], ['print'], ['print', 'vpn']),
  affinity: maybe('x', 'y'),
  session: fc.constantFrom(...SESSIONS),
  name: fc.constantFrom('page', 'page', 'plain'),
})
const often = <Made extends OrderMove['do'], Fields>(
  weight: number,
  made: Made,
  fields: { [Name in keyof Fields]: fc.Arbitrary<Fields[Name]> },
) => ({ weight, arbitrary: fc.record({ do: fc.constant(made), ...fields }) })
const move = fc.oneof(
  often(20, 'submit', { count: fc.constantFrom(1, 1, 2, 3, 4, MANY), task }),
  often(6, 'start', { pick }),
  often(6, 'ready', { pick }),
  often(1, 'fail', { pick }),
  often(2, 'exit', { pick }),
  often(20, 'end', { pick, verdict: fc.constantFrom('ok', 'ok', 'ok', 'retryable', 'released') }),
  often(2, 'cancel', { pick }),
  often(2, 'limit', { group: fc.constantFrom('a', 'b', 'c'), limit: fc.nat({ max: 3 }) }),
  often(1, 'hold', {}),
  often(3, 'free', {}),
  often(6, 'pass', { ms: fc.constantFrom(1, 10, 150, 2_000, 12_000) }),
) as fc.Arbitrary<OrderMove>
const order: fc.Arbitrary<OrderPolicy> = fc.record({
  ageingMs: fc.constantFrom(0, 10, 10_000),
  strategy: fc.constantFrom('roundRobin', 'leastLoaded', 'adaptive'),
  groupConcurrency: fc.constantFrom(0, 1, 2, { a: 1, b: 2 }),
  capabilities: fc.constantFrom(CAPABILITIES, ['vpn', 'print']),
})
export const orderGames: fc.Arbitrary<OrderGame> = fc.record({
  order,
  tasksPerWorker: fc.integer({ min: 1, max: 3 }),
  hasSessions: fc.boolean(),
  moves: fc.array(move, { maxLength: MAX_MOVES, size: 'max' }),
})

class OrderReferee {
  readonly scenario: OrderScenario
  readonly model: OrderModel
  readonly #wrong: string[] = []
  readonly #hasSessions: boolean
  #isHeld = false

  /** `planted`: what the real ledger is told instead. */
  constructor(
    { order: listed, tasksPerWorker, hasSessions }: OrderGame,
    planted?: Partial<OrderPolicy>,
  ) {
    this.scenario = new OrderScenario({ ...listed, ...planted, tasksPerWorker })
    this.model = new OrderModel(this.scenario, listed, hasSessions ? ['plain'] : null)
    const { groupConcurrency } = listed
    for (const group of ['a', 'b', 'c']) {
      const limit =
        typeof groupConcurrency === 'number' ? groupConcurrency : (groupConcurrency[group] ?? 0)
      this.model.limits.set(group, limit)
    }
    this.#hasSessions = hasSessions
    this.scenario.watcher = {
      before: (record, event) => {
        if (event.type === 'attempt.assigned') this.#checkLimit(record)
        this.model.before(record, event)
      },
      after: (record, from) => this.model.after(record, from),
    }
    const sessions = hasSessions ? SESSIONS : SESSIONS.slice(0, 1)
    this.scenario.learn({ sessions, plain: ['plain'] })
  }

  get wrong(): readonly string[] {
    return [...this.#wrong, ...this.model.wrong]
  }

  play(made: OrderMove): void {
    try {
      this.#play(made)
      this.scenario.clock.settle()
    } catch (error) {
      this.#wrong.push(`at ${made.do}: ${String(error)}`)
    }
    if (!this.#isHeld && !this.model.isIdle) this.#wrong.push('a task waits beside a free place')
    const { queued } = this.scenario.ledger
    const { length } = this.model.waiting
    if (queued !== length) this.#wrong.push(`${queued} tasks are queued, not ${length}`)
  }

  /** Nothing goes wrong any more: every task comes to its end. */
  finish(): void {
    const { scenario } = this
    this.play({ do: 'free' })
    for (let round = 0; scenario.ended.length < scenario.records.length; round++) {
      if (this.wrong.length > 0) return
      if (round > MAX_ROUNDS) return void this.#wrong.push(`${this.#left()} do not come to an end`)
      for (const slot of SLOTS) this.#serve(slot)
      for (const process of scenario.processes.slice()) {
        for (const record of process.tasks.slice()) scenario.end(process, [record])
        if (process.state === 'closed') this.#exit(process)
      }
      this.play({ do: 'pass', ms: ROUND_MS })
    }
    const ids = new Set(scenario.ended.map(({ id }) => id))
    if (ids.size !== scenario.ended.length) this.#wrong.push('a task ended twice')
    if (scenario.clock.timers > 0) this.#wrong.push('the clock has a timer left')
  }

  /** By a count of what runs, not by anybody's books. */
  #checkLimit({ id, options: { group } }: TaskRecord): void {
    if (group === undefined) return
    const limit = this.model.limits.get(group) ?? 0
    const running = this.scenario.processes
      .flatMap(({ tasks }) => tasks)
      .filter(({ options }) => options.group === group).length
    if (limit > 0 && running >= limit) this.#wrong.push(`${id}: ${running} of ${group} run`)
  }

  #left(): string {
    const left = this.scenario.records.filter((record) => !this.scenario.ended.includes(record))
    return left.map(({ id, state }) => `${id} ${state}`).join(', ')
  }

  /** As a worker machine would: a successor for one that was asked, and one where there is none. */
  #serve(slot: SlotId): void {
    const mine = this.scenario.processes.filter((one) => one.slot === slot)
    const starting = mine.find(({ state }) => state === 'starting')
    const open = mine.find(({ state }) => state === 'open')
    if (starting !== undefined) this.#ready(starting)
    else if (open === undefined || open.askedAtMs !== null) this.scenario.start(slot)
  }

  #ready(process: ScenarioProcess): void {
    this.model.opened(process)
    this.scenario.ready(process)
  }

  #exit(process: ScenarioProcess): void {
    this.model.lost(process)
    this.scenario.exit(process)
  }

  #play(made: OrderMove): void {
    const { scenario, model } = this
    const { clock } = scenario
    switch (made.do) {
      case 'submit':
        for (let count = 0; count < made.count; count++) this.#submit(mixed(made, count))
        return
      case 'start':
        return this.#start(SLOTS[made.pick % SLOTS.length] as SlotId)
      case 'ready':
        return this.#withA('starting', made.pick, (process) => this.#ready(process))
      case 'fail':
        return this.#withA('starting', made.pick, (process) =>
          scenario.exit(process, 'startFailed'),
        )
      case 'exit':
        return this.#withA('open', made.pick, (process) => this.#exit(process))
      case 'end':
        return this.#end(made.pick, made.verdict)
      case 'cancel': {
        const record = model.waiting[made.pick % Math.max(model.waiting.length, 1)]
        if (record === undefined) return
        return scenario.send({ type: 'task.cancel', record, reason: 'requested' })
      }
      case 'limit':
        model.limit(made.group, made.limit)
        return scenario.send({ type: 'group.limited', group: made.group, limit: made.limit })
      case 'hold':
      case 'free':
        this.#isHeld = made.do === 'hold'
        return scenario.send({ type: `dispatch.${made.do}`, holder: 'pool' })
      case 'pass':
        return clock.advance(made.ms)
    }
  }

  #submit({ session, ...options }: DrawnTask): void {
    const { name, ...rest } = options
    this.scenario.submit({ ...rest, session: this.#hasSessions ? session : 'default' }, name)
  }

  #start(slot: SlotId): void {
    const mine = this.scenario.processes.filter((one) => one.slot === slot)
    if (mine.some(({ state }) => state !== 'open')) return
    this.scenario.start(slot)
  }

  #withA(
    state: ScenarioProcess['state'],
    index: number,
    act: (process: ScenarioProcess) => void,
  ): void {
    const some = this.scenario.processes.filter((process) => process.state === state)
    const picked = some[index % Math.max(some.length, 1)]
    if (picked !== undefined) act(picked)
  }

  #end(index: number, verdict: 'ok' | 'retryable' | 'released'): void {
    const running = this.scenario.processes.flatMap(({ tasks }) => tasks)
    const record = running[index % Math.max(running.length, 1)]
    if (record === undefined) return
    const process = this.scenario.processOf(record)
    // Every third time all that this process has, in one frame.
    const records: readonly TaskRecord[] = index % 3 === 0 ? process.tasks.slice() : [record]
    this.scenario.end(process, records, verdict)
  }
}

/** Many tasks with an affinity are of two. */
function mixed({ task: drawn, count }: Extract<OrderMove, { do: 'submit' }>, index: number) {
  const isMixed = count === MANY && drawn.affinity !== undefined
  return isMixed ? { ...drawn, affinity: index % 3 === 0 ? 'y' : 'x' } : drawn
}

/** Plays to the end, or until something is wrong. */
export function playOrder(game: OrderGame, planted?: Partial<OrderPolicy>): OrderReferee {
  const referee = new OrderReferee(game, planted)
  for (const made of game.moves) {
    if (referee.wrong.length > 0) return referee
    referee.play(made)
  }
  if (referee.wrong.length === 0) referee.finish()
  return referee
}
