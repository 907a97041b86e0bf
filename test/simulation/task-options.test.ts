/** When a task starts and when it is stopped: each option, by example, on the virtual clock. */
import { describe, expect, it } from 'vitest'
import { LedgerStage } from './ledger-stage.ts'
import { ended, staged } from './one-process.ts'

const BACKOFF = { type: 'fixed', delay: 100, maxDelay: 1_000, jitter: 0 } as const

/** The time of the first deed like this, from now on. */
function timeOf(stage: LedgerStage, deed: string, withinMs = 100_000): number | null {
  const fromMs = stage.clock.nowMs()
  stage.takeDeeds()
  for (let ms = 0; ms <= withinMs; ms++) {
    stage.clock.advance(ms === 0 ? 0 : 1)
    if (stage.takeDeeds().some((done) => done.startsWith(deed))) {
      return stage.clock.nowMs() - fromMs
    }
  }
  return null
}

describe('priority', () => {
  it('0 starts first, 100 last, equals in the order they came', () => {
    const { stage, process } = staged({ seatsPerWorker: 6 })
    for (const priority of [100, 10, 0, 10, 20, 0]) stage.submit({ priority })
    stage.clock.settle()
    expect(process.attempts.map(({ taskId }) => taskId)).toEqual([
      't3',
      't6',
      't2',
      't4',
      't5',
      't1',
    ])
  })
})

describe('delay', () => {
  it('holds the first start back, and nothing before it', () => {
    const { stage } = staged()
    const late = stage.submit({ delay: 500 })
    const soon = stage.submit()
    stage.clock.advance(499)
    expect([late.state, soon.state]).toEqual(['delayed', 'assigned'])
    stage.clock.advance(1)
    expect(late.state).toBe('queued')
  })
})

describe('timeout', () => {
  it('aborts at its time, kills after the grace, and the attempt counts', () => {
    const { stage, process } = staged({ killAfterMs: 40, cancelGraceMs: 30 })
    const record = stage.submit({ timeout: 250, attempts: 1 })
    stage.clock.settle()
    expect(timeOf(stage, 'abort t1#1 at worker-1#1: timedOut, 30 ms')).toBe(250)
    expect(record.state).toBe('cancelling')
    expect(timeOf(stage, 'kill worker-1#1: cancelled')).toBe(40)
    expect(record.state).toBe('cancelling')
    stage.exit(process, 'cancelled')
    expect([record.state, record.error?.code]).toEqual(['failed', 'TASK_TIMED_OUT'])
    expect(record.endedAtMs).toBe(290)
  })

  it('is for one attempt: the next has all of it again', () => {
    const { stage, process } = staged()
    const record = stage.submit({ timeout: 250, attempts: 2, backoff: BACKOFF })
    stage.clock.advance(250)
    stage.report(process, [ended(record, 'cancelled')])
    expect(record.state).toBe('backingOff')
    stage.clock.advance(100)
    expect([record.state, record.attempt]).toEqual(['assigned', 2])
    expect(timeOf(stage, 'abort t1#2')).toBe(250)
  })

  it('0 is none', () => {
    const { stage } = staged()
    const record = stage.submit({ timeout: 0 })
    stage.clock.advance(10_000_000)
    expect([record.state, stage.clock.timers]).toEqual(['assigned', 0])
  })

  it('does not stop a task that ended in time', () => {
    const { stage, process } = staged()
    const record = stage.submit({ timeout: 250 })
    stage.clock.advance(249)
    stage.report(process, [ended(record, 'ok')])
    stage.clock.runAll()
    expect(stage.takeDeeds().filter((deed) => deed.startsWith('abort'))).toEqual([])
    expect([record.state, record.value]).toEqual(['succeeded', 1])
  })
})

describe('queueTimeout', () => {
  it('fails what waited too long for its first start, at its time', () => {
    const stage = new LedgerStage()
    const record = stage.submit({ queueTimeout: 300 })
    expect(timeOf(stage, 'ended t1 failed TASK_EXPIRED')).toBe(300)
    expect([record.attempt, stage.ledger.queued]).toEqual([0, 0])
  })

  it('counts from when the delay is over, and not after the first start', () => {
    const { stage, process } = staged()
    const record = stage.submit({ queueTimeout: 300, delay: 1_000, backoff: BACKOFF })
    stage.clock.advance(1_200)
    stage.report(process, [ended(record, 'retryable')])
    stage.close(process)
    stage.clock.advance(10_000)
    expect(record.state).toBe('queued')
  })
})

describe('deadline', () => {
  it.each([
    ['while delayed', { delay: 1_000 }, 'failed'],
    ['while queued', {}, 'failed'],
  ])('ends the task at its time %s', (_, options, state) => {
    const stage = new LedgerStage()
    const record = stage.submit({ deadline: 700, ...options })
    expect(timeOf(stage, 'ended t1 failed TASK_EXPIRED')).toBe(700)
    expect(record.state).toBe(state)
  })

  it('stops what runs, and it is not tried again', () => {
    const { stage, process } = staged()
    const record = stage.submit({ deadline: 700, attempts: 5 })
    stage.clock.settle()
    expect(timeOf(stage, 'abort t1#1 at worker-1#1: expired')).toBe(700)
    stage.report(process, [ended(record, 'retryable')])
    expect([record.state, record.error?.code]).toEqual(['failed', 'TASK_EXPIRED'])
  })

  it('is for all attempts together', () => {
    const { stage, process } = staged()
    const record = stage.submit({ deadline: 700, backoff: { ...BACKOFF, delay: 650 } })
    stage.clock.advance(60)
    stage.report(process, [ended(record, 'retryable')])
    expect(timeOf(stage, 'ended t1 failed TASK_EXPIRED')).toBe(640)
    expect(record.state).toBe('failed')
  })
})
