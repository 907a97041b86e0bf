/** Which session a browser is opened for, and when one makes way for another, by example. */
import { describe, expect, it } from 'vitest'
import { MIN_SESSION_MS } from '../../machines/order-policy.ts'
import type { TaskRecord } from '../../src/ledger/record.ts'
import { MAX_SESSION_FAILURES } from '../../src/ledger/session-routing.ts'
import { type OrderPlan, OrderStage } from './order-stage.ts'

const SESSIONS = ['default', 'shop', 'bank', 'mail']
const START_MS = 500
const TASK_MS = 100
const A_MINUTE_MS = 60_000

function staged(workers: number, plan: OrderPlan = {}): OrderStage {
  const stage = new OrderStage(plan)
  stage.learn({ sessions: SESSIONS, plain: ['plain'] })
  for (let worker = 1; worker <= workers; worker++) stage.open(`worker-${worker}`)
  return stage
}

function submit(stage: OrderStage, session: string, count = 1): TaskRecord[] {
  const records = Array.from({ length: count }, () => stage.submit({ session }, 'page'))
  stage.clock.settle()
  return records
}

/** Starts a successor for whoever was asked; it opens `START_MS` later. */
function serve(stage: OrderStage): void {
  for (const process of stage.processes.slice()) {
    const mine = stage.processes.filter(({ slot }) => slot === process.slot)
    if (process.state === 'closed' && process.tasks.length === 0) stage.exit(process)
    if (process.askedAtMs === null || process.state !== 'open') continue
    if (mine.some(({ state }) => state !== 'open')) continue
    const successor = stage.start(process.slot)
    stage.clock.after(START_MS, () => stage.ready(successor))
  }
}

/** Each task takes `TASK_MS`, each start `START_MS`, until all have ended or time is up. */
function work(stage: OrderStage, limitMs = 10 * A_MINUTE_MS): void {
  for (let ms = 0; ms < limitMs && stage.ended.length < stage.records.length; ms += TASK_MS) {
    serve(stage)
    stage.clock.advance(TASK_MS)
    const nowMs = stage.clock.nowMs()
    for (const process of stage.processes.slice()) {
      const due = process.tasks.filter(({ startedAtMs }) => nowMs - startedAtMs >= TASK_MS)
      if (due.length > 0) stage.end(process, due)
    }
    stage.clock.settle()
  }
}

const sessionsOf = (stage: OrderStage) =>
  stage.processes
    .filter(({ state }) => state === 'open')
    .map(({ session }) => session)
    .toSorted()

describe('a session that tasks wait for', () => {
  it('gets the browser of one that nobody waits for, and runs nowhere else', () => {
    const stage = staged(2)
    submit(stage, 'default')
    const [task] = submit(stage, 'shop') as [TaskRecord]
    expect(stage.asks).toBe(1)
    expect(task.state).toBe('queued')
    serve(stage)
    stage.clock.advance(START_MS)
    expect(stage.processOf(task).session).toBe('shop')
  })

  it('is opened at a start when tasks wait already, one for each before two for one', () => {
    const stage = new OrderStage()
    stage.learn({ sessions: SESSIONS })
    submit(stage, 'shop', 50)
    submit(stage, 'bank', 2)
    const sessions = ([1, 2, 3] as const).map((worker) => stage.start(`worker-${worker}`).session)
    expect(sessions).toEqual(['shop', 'bank', 'shop'])
  })

  it('is opened once at a start when one worker is enough for what waits', () => {
    const stage = new OrderStage()
    stage.learn({ sessions: SESSIONS })
    submit(stage, 'shop')
    const sessions = ([1, 2] as const).map((worker) => stage.start(`worker-${worker}`).session)
    expect(sessions).toEqual(['shop', 'default'])
  })

  it('gets all the browsers that are idle when much waits for it, one worker after the other', () => {
    const stage = staged(4)
    submit(stage, 'shop', 100)
    work(stage)
    expect(stage.ended).toHaveLength(100)
    expect(sessionsOf(stage)).toEqual(['shop', 'shop', 'shop', 'shop'])
    expect(stage.asks).toBe(4)
  })

  it('gets no second browser for a few tasks', () => {
    const stage = staged(4)
    submit(stage, 'shop', 4)
    work(stage)
    expect(stage.asks).toBe(1)
  })

  it('that only a group at its limit waits for gets none', () => {
    const stage = staged(1, { groupConcurrency: 1, seatsPerWorker: 2 })
    const [running] = [stage.submit({ group: 'a', session: 'default' }, 'page')] as const
    stage.clock.settle()
    const waiting = stage.submit({ group: 'a', session: 'shop' }, 'page')
    stage.clock.settle()
    expect([running.state, waiting.state, stage.asks]).toEqual(['assigned', 'queued', 0])
    stage.end(stage.processOf(running), [running])
    stage.clock.settle()
    expect(stage.asks).toBe(1)
  })

  it('never takes a task without a browser along', () => {
    const stage = staged(1)
    const plain = stage.submit({ session: 'bank' }, 'plain')
    stage.clock.settle()
    expect([plain.state, stage.asks]).toEqual(['assigned', 0])
  })

  it('gets a worker that can do what its tasks require', () => {
    const stage = staged(3, { capabilities: { 'worker-2': ['vpn'] } })
    const task = stage.submit({ session: 'shop', requires: ['vpn'] }, 'page')
    stage.clock.settle()
    work(stage)
    expect([task.state, task.seat?.slot, stage.asks]).toEqual(['succeeded', 'worker-2', 1])
  })

  it('is not held by a spare that stands by', () => {
    const stage = staged(1)
    stage.slots = ['worker-1']
    stage.send({ type: 'dispatch.hold', holder: 'pool' })
    submit(stage, 'shop')
    expect(stage.start('worker-2').session).toBe('shop')
    stage.send({ type: 'dispatch.free', holder: 'pool' })
    stage.clock.settle()
    expect(stage.asks).toBe(1)
    work(stage)
    expect(stage.ended).toHaveLength(1)
  })
})

describe('one worker and three sessions', () => {
  it('that alternate: all tasks end, with few browsers', () => {
    const stage = staged(1)
    for (let turn = 0; turn < 100; turn++) {
      for (const session of ['shop', 'bank', 'mail']) submit(stage, session)
    }
    work(stage)
    expect(stage.ended.every(({ state }) => state === 'succeeded')).toBe(true)
    expect(stage.ended).toHaveLength(300)
    // 30 s of work in slices of MIN_SESSION_MS at the least, and one opening for each session.
    expect(stage.asks).toBeLessThanOrEqual(3 + Math.ceil((300 * TASK_MS) / MIN_SESSION_MS))
  })

  it('of which one never has enough: the others come to their turn', () => {
    const stage = staged(1)
    submit(stage, 'shop', 20)
    const others = [...submit(stage, 'bank'), ...submit(stage, 'mail')]
    for (let ms = 0; ms < A_MINUTE_MS; ms += TASK_MS) {
      work(stage, TASK_MS)
      if (ms % (2 * TASK_MS) === 0) submit(stage, 'shop', 3)
    }
    expect(others.map(({ state }) => state)).toEqual(['succeeded', 'succeeded'])
    expect(Math.max(...others.map(({ endedAtMs }) => endedAtMs))).toBeLessThan(4 * MIN_SESSION_MS)
  })
})

describe('a worker that was asked to make way', () => {
  it('is not asked again while its successor starts, and nobody else is', () => {
    const stage = staged(3)
    submit(stage, 'shop', 3)
    expect(stage.asks).toBe(1)
    const asked = stage.processes.find(({ askedAtMs }) => askedAtMs !== null)
    const successor = stage.start(asked?.slot ?? 'worker-1')
    submit(stage, 'shop')
    stage.clock.advance(A_MINUTE_MS)
    expect([successor.session, stage.asks]).toEqual(['shop', 1])
  })

  it('and does not is asked again', () => {
    const stage = staged(1)
    submit(stage, 'shop')
    stage.clock.advance(A_MINUTE_MS)
    expect(stage.asks).toBeGreaterThan(1)
    expect(stage.asks).toBeLessThanOrEqual(3)
  })

  it('in vain leaves nothing behind', () => {
    const stage = staged(1)
    const [task] = submit(stage, 'shop') as [TaskRecord]
    stage.send({ type: 'task.cancel', record: task, reason: 'requested' })
    stage.clock.settle()
    expect(stage.clock.timers).toBe(0)
  })
})

describe('a session that cannot be opened', () => {
  it('is tried later and later, then its tasks fail, and those of others go on', () => {
    const stage = staged(1)
    const tasks = submit(stage, 'shop', 2)
    const asked: number[] = []
    for (let failure = 0; failure < MAX_SESSION_FAILURES; failure++) {
      while (stage.asks === failure) stage.clock.advance(TASK_MS)
      asked.push(stage.clock.nowMs())
      stage.exit(stage.start('worker-1'), 'startFailed')
      stage.clock.settle()
    }
    const waits = asked.map((atMs, index) => atMs - (asked[index - 1] ?? 0)).slice(1)
    expect(waits).toEqual(waits.toSorted((a, b) => a - b))
    expect(tasks.map(({ error }) => error?.code)).toEqual(Array(2).fill('WORKER_START_FAILED'))
    const [other] = submit(stage, 'default') as [TaskRecord]
    expect(other.state).toBe('assigned')
  })

  it('does not keep the only worker from opening another', () => {
    const stage = new OrderStage()
    stage.learn({ sessions: SESSIONS })
    submit(stage, 'shop', 9)
    submit(stage, 'bank')
    const first = stage.start('worker-1')
    stage.exit(first, 'startFailed')
    expect([first.session, stage.start('worker-1').session]).toEqual(['shop', 'bank'])
  })
})
