/** What the pool, the shutdown and the workers say to the ledger, by example. */
import { describe, expect, it } from 'vitest'
import type { LedgerPorts } from '../../src/ledger/ports.ts'
import { LedgerStage, POOL_ERROR } from './ledger-stage.ts'
import { OK, reportOf } from './ledger-moves.ts'

const EMPTIED = 'told pool ledger.emptied'
const CALMED = 'told shutdown ledger.calmed'

describe('dispatch', () => {
  it('waits for the last of several holders', () => {
    const stage = new LedgerStage()
    const process = stage.open('worker-1')
    stage.send({ type: 'dispatch.hold', holder: 'pool' })
    stage.send({ type: 'dispatch.hold', holder: 'memory' })
    stage.send({ type: 'dispatch.hold', holder: 'memory' })
    stage.submit()
    stage.clock.settle()
    stage.send({ type: 'dispatch.free', holder: 'pool' })
    stage.clock.settle()
    expect(process.attempts).toEqual([])
    stage.send({ type: 'dispatch.free', holder: 'memory' })
    stage.clock.settle()
    expect(process.attempts).toEqual([{ taskId: 't1', attempt: 1 }])
  })

  it('tells each process once a round, and deals the tasks round', () => {
    const stage = new LedgerStage({ seatsPerWorker: 2 })
    stage.open('worker-1')
    stage.open('worker-2')
    for (let count = 0; count < 3; count++) stage.submit()
    stage.clock.settle()
    const rounds = stage.takeAssignments().map(({ slot, tasks }) => [slot, tasks.length])
    expect(rounds).toEqual([
      ['worker-1', 2],
      ['worker-2', 1],
    ])
  })

  it('gives the new tasks of a recycled slot to its new process', () => {
    const stage = new LedgerStage()
    const old = stage.open('worker-1')
    const first = stage.submit()
    stage.clock.settle()
    const fresh = stage.open('worker-1')
    const second = stage.submit()
    stage.clock.settle()
    expect(fresh.attempts).toEqual([{ taskId: second.id, attempt: 1 }])
    stage.report(old, [reportOf(OK, first.id, 1)])
    expect(stage.takeDeeds()).toContain('told worker-1#1 of 1 ended')
    expect(first.state).toBe('succeeded')
  })

  it('what a lost process had comes back in the order it had', () => {
    const stage = new LedgerStage({ seatsPerWorker: 3 })
    const process = stage.open('worker-1')
    for (let count = 0; count < 4; count++) stage.submit()
    stage.clock.settle()
    stage.exit(process, 'memory')
    const next = stage.open('worker-1')
    stage.clock.settle()
    expect(next.attempts.map(({ taskId }) => taskId)).toEqual(['t1', 't2', 't3'])
  })
})

describe('intake.drain', () => {
  it('is answered at once when there is no task, and only once', () => {
    const stage = new LedgerStage()
    stage.send({ type: 'intake.drain' })
    stage.send({ type: 'intake.open' })
    expect(stage.takeDeeds()).toEqual([EMPTIED])
  })

  it('is answered when the last task ends, even by a cancel', () => {
    const stage = new LedgerStage()
    const records = [stage.submit({ delay: 50 }), stage.submit()]
    stage.send({ type: 'intake.drain' })
    for (const record of records) {
      expect(stage.takeDeeds()).not.toContain(EMPTIED)
      stage.cancel(record)
    }
    expect(stage.takeDeeds()).toContain(EMPTIED)
  })

  it('is not answered any more once the intake is open again', () => {
    const stage = new LedgerStage()
    const record = stage.submit()
    stage.send({ type: 'intake.drain' })
    stage.send({ type: 'intake.open' })
    stage.cancel(record)
    expect(stage.takeDeeds()).not.toContain(EMPTIED)
  })
})

describe('intake.close', () => {
  it('cancels what waits, lets what runs end, and says when nothing runs', () => {
    const stage = new LedgerStage()
    const process = stage.open('worker-1')
    const running = stage.submit()
    stage.clock.settle()
    const waiting = [stage.submit(), stage.submit({ delay: 10 })]
    stage.send({ type: 'intake.close' })
    expect(waiting.map(({ state }) => state)).toEqual(['cancelled', 'cancelled'])
    expect(stage.takeDeeds()).not.toContain(CALMED)
    stage.report(process, [reportOf(OK, running.id, 1)])
    expect(running.state).toBe('succeeded')
    expect(stage.takeDeeds().at(-1)).toBe(CALMED)
  })

  it('starts nothing, whoever frees the dispatch', () => {
    const stage = new LedgerStage()
    const process = stage.open('worker-1')
    stage.submit()
    stage.clock.settle()
    stage.send({ type: 'intake.close' })
    stage.exit(process, 'recycled')
    const next = stage.open('worker-1')
    stage.send({ type: 'dispatch.free', holder: 'pool' })
    stage.clock.settle()
    expect(next.attempts).toEqual([])
  })
})

describe('pool.failed', () => {
  it('fails what waits, and what comes back to wait after it', () => {
    const stage = new LedgerStage()
    const process = stage.open('worker-1')
    const running = stage.submit()
    stage.clock.settle()
    const waiting = stage.submit()
    stage.send({ type: 'pool.failed', error: POOL_ERROR })
    expect([running.state, waiting.state]).toEqual(['assigned', 'failed'])
    stage.exit(process, 'stopped')
    expect(running.error).toEqual(POOL_ERROR)
    expect(running.state).toBe('failed')
  })

  it('is over once the intake opens again', () => {
    const stage = new LedgerStage()
    stage.send({ type: 'pool.failed', error: POOL_ERROR })
    stage.send({ type: 'intake.open' })
    expect(stage.submit().state).toBe('queued')
  })
})

describe('the end', () => {
  it('a halt ends every task, running or not, and leaves no timer', () => {
    const stage = new LedgerStage()
    stage.open('worker-1')
    const records = [stage.submit({ timeout: 100 }), stage.submit({ deadline: 50 })]
    stage.clock.settle()
    stage.halt()
    expect(records.map(({ state }) => state)).toEqual(['cancelled', 'cancelled'])
    expect(stage.clock.timers).toBe(0)
  })

  it('a ledger without tasks has no timer, however far off its last one was', () => {
    const stage = new LedgerStage()
    const process = stage.open('worker-1')
    const record = stage.submit({ timeout: 300_000, deadline: 1_000_000 })
    stage.clock.settle()
    expect(stage.clock.timers).toBe(1)
    stage.report(process, [reportOf(OK, record.id, 1)])
    expect(stage.clock.timers).toBe(0)
  })
})

describe('news', () => {
  it('comes when the counts and the busy sign are already right', () => {
    const stage = new LedgerStage()
    const record = stage.submit()
    const seen: unknown[] = []
    stage.onNews = () => {
      const { pending, cancelled } = stage.ledger.counts
      seen.push([pending, cancelled, stage.ledger.has(record.id), stage.deeds.at(-2)])
    }
    stage.cancel(record)
    expect(seen).toEqual([[0, 1, false, 'occupied false']])
  })

  it('a task admitted in the middle of an event is known at once', () => {
    const stage = new LedgerStage()
    const record = stage.submit()
    const seen: unknown[] = []
    stage.onNews = () => {
      stage.onNews = () => {}
      const second = stage.submit()
      seen.push(second.state, stage.ledger.has(second.id), stage.ledger.counts.pending)
    }
    stage.cancel(record)
    expect(seen).toEqual(['submitted', true, 1])
    expect(stage.records.map(({ state }) => state)).toEqual(['cancelled', 'queued'])
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
    const stage = new LedgerStage({}, broken)
    const process = stage.open('worker-1')
    const running = stage.submit()
    const waiting = stage.submit()
    stage.clock.settle()
    stage.cancel(running)
    expect(stage.takeDeeds()).toContain('told pool actor.failed')
    stage.send({ type: 'pool.failed', error: POOL_ERROR })
    stage.exit(process, 'stopped')
    expect([running.state, waiting.state]).toEqual(['cancelled', 'failed'])
  })

  it('that tears off the last step of a task is made good when the run is given up', () => {
    const stage = new LedgerStage({})
    stage.open('worker-1')
    stage.submit()
    stage.submit()
    const torn = stage.submit()
    stage.clock.settle()
    const { keys } = stage.ledger.aftermath
    const { settle } = keys
    keys.settle = () => {
      keys.settle = settle
      throw new Error('a defect')
    }
    stage.cancel(torn)
    expect(stage.takeDeeds()).toContain('told pool actor.failed')
    stage.ledger.abandon(POOL_ERROR)
    const ends = stage.takeDeeds().filter((deed) => deed.includes('ended'))
    expect(ends).toEqual([
      'ended t1 failed WORKER_START_FAILED',
      'ended t2 failed WORKER_START_FAILED',
      'ended t3 cancelled TASK_CANCELLED',
    ])
    const { pending, active, failed, cancelled } = stage.ledger.counts
    expect([pending, active, failed, cancelled]).toEqual([0, 0, 2, 1])
  })
})
