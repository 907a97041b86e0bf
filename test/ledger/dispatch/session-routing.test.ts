/** Which session a browser is opened for, and when one makes way for another, by example. */
import { describe, expect, it } from 'vitest'
import { MIN_SESSION_MS } from '../../../machines/order-policy.ts'
import type { TaskRecord } from '../../../src/ledger/task/record.ts'
import { MAX_SESSION_FAILURES } from '../../../src/ledger/dispatch/session-routing.ts'
import { type OrderPlan, OrderScenario } from '../../simulation/order-scenario.ts'

const SESSIONS = ['default', 'shop', 'bank', 'mail']
const START_MS = 500
const TASK_MS = 100
const A_MINUTE_MS = 60_000

function staged(workers: number, plan: OrderPlan = {}): OrderScenario {
  const scenario = new OrderScenario(plan)
  scenario.learn({ sessions: SESSIONS, plain: ['plain'] })
  for (let worker = 1; worker <= workers; worker++) scenario.open(`worker-${worker}`)
  return scenario
}

function submit(scenario: OrderScenario, session: string, count = 1): TaskRecord[] {
  const records = Array.from({ length: count }, () => scenario.submit({ session }, 'page'))
  scenario.clock.settle()
  return records
}

/** Starts a successor for whoever was asked; it opens `START_MS` later. */
function serve(scenario: OrderScenario): void {
  for (const process of scenario.processes.slice()) {
    const mine = scenario.processes.filter(({ slot }) => slot === process.slot)
    if (process.state === 'closed' && process.tasks.length === 0) scenario.exit(process)
    if (process.askedAtMs === null || process.state !== 'open') continue
    if (mine.some(({ state }) => state !== 'open')) continue
    const successor = scenario.start(process.slot)
    scenario.clock.after(START_MS, () => scenario.ready(successor))
  }
}

/** Each task takes `TASK_MS`, each start `START_MS`, until all have ended or time is up. */
function work(scenario: OrderScenario, limitMs = 10 * A_MINUTE_MS): void {
  for (let ms = 0; ms < limitMs && scenario.ended.length < scenario.records.length; ms += TASK_MS) {
    serve(scenario)
    scenario.clock.advance(TASK_MS)
    const nowMs = scenario.clock.nowMs()
    for (const process of scenario.processes.slice()) {
      const due = process.tasks.filter(({ startedAtMs }) => nowMs - startedAtMs >= TASK_MS)
      if (due.length > 0) scenario.end(process, due)
    }
    scenario.clock.settle()
  }
}

const sessionsOf = (scenario: OrderScenario) =>
  scenario.processes
    .filter(({ state }) => state === 'open')
    .map(({ session }) => session)
    .toSorted()

describe('a session that tasks wait for', () => {
  it('gets the browser of one that nobody waits for, and runs nowhere else', () => {
    const scenario = staged(2)
    submit(scenario, 'default')
    const [task] = submit(scenario, 'shop') as [TaskRecord]
    expect(scenario.asks).toBe(1)
    expect(task.state).toBe('queued')
    serve(scenario)
    scenario.clock.advance(START_MS)
    expect(scenario.processOf(task).session).toBe('shop')
  })

  it('is opened at a start when tasks wait already, one for each before two for one', () => {
    const scenario = new OrderScenario()
    scenario.learn({ sessions: SESSIONS })
    submit(scenario, 'shop', 50)
    submit(scenario, 'bank', 2)
    const sessions = ([1, 2, 3] as const).map(
      (worker) => scenario.start(`worker-${worker}`).session,
    )
    expect(sessions).toEqual(['shop', 'bank', 'shop'])
  })

  it('is opened once at a start when one worker is enough for what waits', () => {
    const scenario = new OrderScenario()
    scenario.learn({ sessions: SESSIONS })
    submit(scenario, 'shop')
    const sessions = ([1, 2] as const).map((worker) => scenario.start(`worker-${worker}`).session)
    expect(sessions).toEqual(['shop', 'default'])
  })

  it('gets all the browsers that are idle when much waits for it, one worker after the other', () => {
    const scenario = staged(4)
    submit(scenario, 'shop', 100)
    work(scenario)
    expect(scenario.ended).toHaveLength(100)
    expect(sessionsOf(scenario)).toEqual(['shop', 'shop', 'shop', 'shop'])
    expect(scenario.asks).toBe(4)
  })

  it('gets no second browser for a few tasks', () => {
    const scenario = staged(4)
    submit(scenario, 'shop', 4)
    work(scenario)
    expect(scenario.asks).toBe(1)
  })

  it('that only a group at its limit waits for gets none', () => {
    const scenario = staged(1, { groupConcurrency: 1, tasksPerWorker: 2 })
    const [running] = [scenario.submit({ group: 'a', session: 'default' }, 'page')] as const
    scenario.clock.settle()
    const waiting = scenario.submit({ group: 'a', session: 'shop' }, 'page')
    scenario.clock.settle()
    expect([running.state, waiting.state, scenario.asks]).toEqual(['assigned', 'queued', 0])
    scenario.end(scenario.processOf(running), [running])
    scenario.clock.settle()
    expect(scenario.asks).toBe(1)
  })

  it('never takes a task without a browser along', () => {
    const scenario = staged(1)
    const plain = scenario.submit({ session: 'bank' }, 'plain')
    scenario.clock.settle()
    expect([plain.state, scenario.asks]).toEqual(['assigned', 0])
  })

  it('gets a worker that can do what its tasks require', () => {
    const scenario = staged(3, { capabilities: { 'worker-2': ['vpn'] } })
    const task = scenario.submit({ session: 'shop', requires: ['vpn'] }, 'page')
    scenario.clock.settle()
    work(scenario)
    expect([task.state, task.worker?.slot, scenario.asks]).toEqual(['succeeded', 'worker-2', 1])
  })

  it('is not held by a spare that stands by', () => {
    const scenario = staged(1)
    scenario.slots = ['worker-1']
    scenario.send({ type: 'dispatch.hold', holder: 'pool' })
    submit(scenario, 'shop')
    expect(scenario.start('worker-2').session).toBe('shop')
    scenario.send({ type: 'dispatch.free', holder: 'pool' })
    scenario.clock.settle()
    expect(scenario.asks).toBe(1)
    work(scenario)
    expect(scenario.ended).toHaveLength(1)
  })
})

describe('one worker and three sessions', () => {
  it('that alternate: all tasks end, with few browsers', () => {
    const scenario = staged(1)
    for (let turn = 0; turn < 100; turn++) {
      for (const session of ['shop', 'bank', 'mail']) submit(scenario, session)
    }
    work(scenario)
    expect(scenario.ended.every(({ state }) => state === 'succeeded')).toBe(true)
    expect(scenario.ended).toHaveLength(300)
    // 30 s of work in slices of MIN_SESSION_MS at the least, and one opening for each session.
    expect(scenario.asks).toBeLessThanOrEqual(3 + Math.ceil((300 * TASK_MS) / MIN_SESSION_MS))
  })

  it('of which one never has enough: the others come to their turn', () => {
    const scenario = staged(1)
    submit(scenario, 'shop', 20)
    const others = [...submit(scenario, 'bank'), ...submit(scenario, 'mail')]
    for (let ms = 0; ms < A_MINUTE_MS; ms += TASK_MS) {
      work(scenario, TASK_MS)
      if (ms % (2 * TASK_MS) === 0) submit(scenario, 'shop', 3)
    }
    expect(others.map(({ state }) => state)).toEqual(['succeeded', 'succeeded'])
    expect(Math.max(...others.map(({ endedAtMs }) => endedAtMs))).toBeLessThan(4 * MIN_SESSION_MS)
  })
})

describe('a worker that was asked to make way', () => {
  it('is not asked again while its successor starts, and nobody else is', () => {
    const scenario = staged(3)
    submit(scenario, 'shop', 3)
    expect(scenario.asks).toBe(1)
    const asked = scenario.processes.find(({ askedAtMs }) => askedAtMs !== null)
    const successor = scenario.start(asked?.slot ?? 'worker-1')
    submit(scenario, 'shop')
    scenario.clock.advance(A_MINUTE_MS)
    expect([successor.session, scenario.asks]).toEqual(['shop', 1])
  })

  it('and does not is asked again', () => {
    const scenario = staged(1)
    submit(scenario, 'shop')
    scenario.clock.advance(A_MINUTE_MS)
    expect(scenario.asks).toBeGreaterThan(1)
    expect(scenario.asks).toBeLessThanOrEqual(3)
  })

  it('in vain leaves nothing behind', () => {
    const scenario = staged(1)
    const [task] = submit(scenario, 'shop') as [TaskRecord]
    scenario.send({ type: 'task.cancel', record: task, reason: 'requested' })
    scenario.clock.settle()
    expect(scenario.clock.timers).toBe(0)
  })
})

describe('a session that cannot be opened', () => {
  it('is tried later and later, then its tasks fail, and those of others go on', () => {
    const scenario = staged(1)
    const tasks = submit(scenario, 'shop', 2)
    const asked: number[] = []
    for (let failure = 0; failure < MAX_SESSION_FAILURES; failure++) {
      while (scenario.asks === failure) scenario.clock.advance(TASK_MS)
      asked.push(scenario.clock.nowMs())
      scenario.exit(scenario.start('worker-1'), 'startFailed')
      scenario.clock.settle()
    }
    const waits = asked.map((atMs, index) => atMs - (asked[index - 1] ?? 0)).slice(1)
    expect(waits).toEqual(waits.toSorted((a, b) => a - b))
    expect(tasks.map(({ error }) => error?.code)).toEqual(Array(2).fill('WORKER_START_FAILED'))
    const [other] = submit(scenario, 'default') as [TaskRecord]
    expect(other.state).toBe('assigned')
  })

  it('does not keep the only worker from opening another', () => {
    const scenario = new OrderScenario()
    scenario.learn({ sessions: SESSIONS })
    submit(scenario, 'shop', 9)
    submit(scenario, 'bank')
    const first = scenario.start('worker-1')
    scenario.exit(first, 'startFailed')
    expect([first.session, scenario.start('worker-1').session]).toEqual(['shop', 'bank'])
  })
})
