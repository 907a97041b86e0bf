/** What the pool, the shutdown and the workers say to the ledger, by example. */
import { describe, expect, it } from 'vitest'
import type { LedgerPorts } from '../../src/ledger/ports.ts'
import { LedgerScenario, POOL_ERROR } from './ledger-scenario.ts'
import { OK, reportOf } from './ledger-moves.ts'

const EMPTIED = 'told pool ledger.emptied'
const CALMED = 'told shutdown ledger.calmed'

describe('dispatch', () => {
  it('waits for the last of several holders', () => {
    const scenario = new LedgerScenario()
    const process = scenario.open('worker-1')
    scenario.send({ type: 'dispatch.hold', holder: 'pool' })
    scenario.send({ type: 'dispatch.hold', holder: 'memory' })
    scenario.send({ type: 'dispatch.hold', holder: 'memory' })
    scenario.submit()
    scenario.clock.settle()
    scenario.send({ type: 'dispatch.free', holder: 'pool' })
    scenario.clock.settle()
    expect(process.attempts).toEqual([])
    scenario.send({ type: 'dispatch.free', holder: 'memory' })
    scenario.clock.settle()
    expect(process.attempts).toEqual([{ taskId: 't1', attempt: 1 }])
  })

  it('tells each process once a round, and deals the tasks round', () => {
    const scenario = new LedgerScenario({ tasksPerWorker: 2 })
    scenario.open('worker-1')
    scenario.open('worker-2')
    for (let count = 0; count < 3; count++) scenario.submit()
    scenario.clock.settle()
    const rounds = scenario.takeAssignments().map(({ slot, tasks }) => [slot, tasks.length])
    expect(rounds).toEqual([
      ['worker-1', 2],
      ['worker-2', 1],
    ])
  })

  it('gives the new tasks of a recycled slot to its new process', () => {
    const scenario = new LedgerScenario()
    const old = scenario.open('worker-1')
    const first = scenario.submit()
    scenario.clock.settle()
    const fresh = scenario.open('worker-1')
    const second = scenario.submit()
    scenario.clock.settle()
    expect(fresh.attempts).toEqual([{ taskId: second.id, attempt: 1 }])
    scenario.report(old, [reportOf(OK, first.id, 1)])
    expect(scenario.takeActions()).toContain('told worker-1#1 of 1 ended')
    expect(first.state).toBe('succeeded')
  })

  it('what a lost process had comes back in the order it had', () => {
    const scenario = new LedgerScenario({ tasksPerWorker: 3 })
    const process = scenario.open('worker-1')
    for (let count = 0; count < 4; count++) scenario.submit()
    scenario.clock.settle()
    scenario.exit(process, 'memory')
    const next = scenario.open('worker-1')
    scenario.clock.settle()
    expect(next.attempts.map(({ taskId }) => taskId)).toEqual(['t1', 't2', 't3'])
  })
})

describe('intake.drain', () => {
  it('is answered at once when there is no task, and only once', () => {
    const scenario = new LedgerScenario()
    scenario.send({ type: 'intake.drain' })
    scenario.send({ type: 'intake.open' })
    expect(scenario.takeActions()).toEqual([EMPTIED])
  })

  it('is answered when the last task ends, even by a cancel', () => {
    const scenario = new LedgerScenario()
    const records = [scenario.submit({ delay: 50 }), scenario.submit()]
    scenario.send({ type: 'intake.drain' })
    for (const record of records) {
      expect(scenario.takeActions()).not.toContain(EMPTIED)
      scenario.cancel(record)
    }
    expect(scenario.takeActions()).toContain(EMPTIED)
  })

  it('is not answered any more once the intake is open again', () => {
    const scenario = new LedgerScenario()
    const record = scenario.submit()
    scenario.send({ type: 'intake.drain' })
    scenario.send({ type: 'intake.open' })
    scenario.cancel(record)
    expect(scenario.takeActions()).not.toContain(EMPTIED)
  })
})

describe('intake.close', () => {
  it('cancels what waits, lets what runs end, and says when nothing runs', () => {
    const scenario = new LedgerScenario()
    const process = scenario.open('worker-1')
    const running = scenario.submit()
    scenario.clock.settle()
    const waiting = [scenario.submit(), scenario.submit({ delay: 10 })]
    scenario.send({ type: 'intake.close' })
    expect(waiting.map(({ state }) => state)).toEqual(['cancelled', 'cancelled'])
    expect(scenario.takeActions()).not.toContain(CALMED)
    scenario.report(process, [reportOf(OK, running.id, 1)])
    expect(running.state).toBe('succeeded')
    expect(scenario.takeActions().at(-1)).toBe(CALMED)
  })

  it('starts nothing, whoever frees the dispatch', () => {
    const scenario = new LedgerScenario()
    const process = scenario.open('worker-1')
    scenario.submit()
    scenario.clock.settle()
    scenario.send({ type: 'intake.close' })
    scenario.exit(process, 'recycled')
    const next = scenario.open('worker-1')
    scenario.send({ type: 'dispatch.free', holder: 'pool' })
    scenario.clock.settle()
    expect(next.attempts).toEqual([])
  })
})

describe('pool.failed', () => {
  it('fails what waits, and what comes back to wait after it', () => {
    const scenario = new LedgerScenario()
    const process = scenario.open('worker-1')
    const running = scenario.submit()
    scenario.clock.settle()
    const waiting = scenario.submit()
    scenario.send({ type: 'pool.failed', error: POOL_ERROR })
    expect([running.state, waiting.state]).toEqual(['assigned', 'failed'])
    scenario.exit(process, 'stopped')
    expect(running.error).toEqual(POOL_ERROR)
    expect(running.state).toBe('failed')
  })

  it('is over once the intake opens again', () => {
    const scenario = new LedgerScenario()
    scenario.send({ type: 'pool.failed', error: POOL_ERROR })
    scenario.send({ type: 'intake.open' })
    expect(scenario.submit().state).toBe('queued')
  })
})

describe('the end', () => {
  it('a halt ends every task, running or not, and leaves no timer', () => {
    const scenario = new LedgerScenario()
    scenario.open('worker-1')
    const records = [scenario.submit({ timeout: 100 }), scenario.submit({ deadline: 50 })]
    scenario.clock.settle()
    scenario.halt()
    expect(records.map(({ state }) => state)).toEqual(['cancelled', 'cancelled'])
    expect(scenario.clock.timers).toBe(0)
  })

  it('a ledger without tasks has no timer, however far off its last one was', () => {
    const scenario = new LedgerScenario()
    const process = scenario.open('worker-1')
    const record = scenario.submit({ timeout: 300_000, deadline: 1_000_000 })
    scenario.clock.settle()
    expect(scenario.clock.timers).toBe(1)
    scenario.report(process, [reportOf(OK, record.id, 1)])
    expect(scenario.clock.timers).toBe(0)
  })
})

describe('news', () => {
  it('comes when the counts and the busy sign are already right', () => {
    const scenario = new LedgerScenario()
    const record = scenario.submit()
    const seen: unknown[] = []
    scenario.onEvent = () => {
      const { pending, cancelled } = scenario.ledger.counts
      seen.push([pending, cancelled, scenario.ledger.has(record.id), scenario.actions.at(-2)])
    }
    scenario.cancel(record)
    expect(seen).toEqual([[0, 1, false, 'occupied false']])
  })

  it('a task admitted in the middle of an event is known at once', () => {
    const scenario = new LedgerScenario()
    const record = scenario.submit()
    const seen: unknown[] = []
    scenario.onEvent = () => {
      scenario.onEvent = () => {}
      const second = scenario.submit()
      seen.push(second.state, scenario.ledger.has(second.id), scenario.ledger.counts.pending)
    }
    scenario.cancel(record)
    expect(seen).toEqual(['submitted', true, 1])
    expect(scenario.records.map(({ state }) => state)).toEqual(['cancelled', 'queued'])
  })
})

describe('a defect in the ledger', () => {
  const broken = {
    name: 'tells nobody of a cancelled task',
    ports: (ports: LedgerPorts): LedgerPorts => ({
      ...ports,
      abort: () => {
        throw new Error('a defect')
      },
    }),
  }

  it('is told to the pool, and what the pool then does still ends every task', () => {
    const scenario = new LedgerScenario({}, broken)
    const process = scenario.open('worker-1')
    const running = scenario.submit()
    const waiting = scenario.submit()
    scenario.clock.settle()
    scenario.cancel(running)
    expect(scenario.takeActions()).toContain('told pool actor.failed')
    scenario.send({ type: 'pool.failed', error: POOL_ERROR })
    scenario.exit(process, 'stopped')
    expect([running.state, waiting.state]).toEqual(['cancelled', 'failed'])
  })

  it('that tears off the last step of a task is made good when the run is given up', () => {
    const scenario = new LedgerScenario({})
    scenario.open('worker-1')
    scenario.submit()
    scenario.submit()
    const torn = scenario.submit()
    scenario.clock.settle()
    const { keys } = scenario.ledger.completed
    const { settle } = keys
    keys.settle = () => {
      keys.settle = settle
      throw new Error('a defect')
    }
    scenario.cancel(torn)
    expect(scenario.takeActions()).toContain('told pool actor.failed')
    scenario.ledger.abandon(POOL_ERROR)
    const ends = scenario.takeActions().filter((action) => action.includes('ended'))
    expect(ends).toEqual([
      'ended t1 failed WORKER_START_FAILED',
      'ended t2 failed WORKER_START_FAILED',
      'ended t3 cancelled TASK_CANCELLED',
    ])
    const { pending, active, failed, cancelled } = scenario.ledger.counts
    expect([pending, active, failed, cancelled]).toEqual([0, 0, 2, 1])
  })
})
