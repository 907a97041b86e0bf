/** When a task starts and when it is stopped: each option, by example, on the virtual clock. */
import { describe, expect, it } from 'vitest'
import { LedgerScenario } from '../simulation/ledger-scenario.ts'
import { ended, staged } from '../simulation/one-process.ts'

const BACKOFF = { type: 'fixed', delay: 100, maxDelay: 1_000, jitter: 0 } as const

/** The time of the first action like this, from now on. */
function timeOf(scenario: LedgerScenario, action: string, withinMs = 100_000): number | null {
  const fromMs = scenario.clock.nowMs()
  scenario.takeActions()
  for (let ms = 0; ms <= withinMs; ms++) {
    scenario.clock.advance(ms === 0 ? 0 : 1)
    if (scenario.takeActions().some((done) => done.startsWith(action))) {
      return scenario.clock.nowMs() - fromMs
    }
  }
  return null
}

describe('priority', () => {
  it('0 starts first, 100 last, equals in the order they came', () => {
    const { scenario, process } = staged({ tasksPerWorker: 6 })
    for (const priority of [100, 10, 0, 10, 20, 0]) scenario.submit({ priority })
    scenario.clock.settle()
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
    const { scenario } = staged()
    const late = scenario.submit({ delay: 500 })
    const soon = scenario.submit()
    scenario.clock.advance(499)
    expect([late.state, soon.state]).toEqual(['delayed', 'assigned'])
    scenario.clock.advance(1)
    expect(late.state).toBe('queued')
  })
})

describe('timeout', () => {
  it('aborts at its time, kills after the grace, and the attempt counts', () => {
    const { scenario, process } = staged({ killAfterMs: 40, cancelGraceMs: 30 })
    const record = scenario.submit({ timeout: 250, attempts: 1 })
    scenario.clock.settle()
    expect(timeOf(scenario, 'abort t1#1 at worker-1#1: timedOut, 30 ms')).toBe(250)
    expect(record.state).toBe('cancelling')
    expect(timeOf(scenario, 'kill worker-1#1: cancelled')).toBe(40)
    expect(record.state).toBe('cancelling')
    scenario.exit(process, 'cancelled')
    expect([record.state, record.error?.code]).toEqual(['failed', 'TASK_TIMED_OUT'])
    expect(record.endedAtMs).toBe(290)
  })

  it('is for one attempt: the next has all of it again', () => {
    const { scenario, process } = staged()
    const record = scenario.submit({ timeout: 250, attempts: 2, backoff: BACKOFF })
    scenario.clock.advance(250)
    scenario.report(process, [ended(record, 'cancelled')])
    expect(record.state).toBe('backingOff')
    scenario.clock.advance(100)
    expect([record.state, record.attempt]).toEqual(['assigned', 2])
    expect(timeOf(scenario, 'abort t1#2')).toBe(250)
  })

  it('0 is none', () => {
    const { scenario } = staged()
    const record = scenario.submit({ timeout: 0 })
    scenario.clock.advance(10_000_000)
    expect([record.state, scenario.clock.timers]).toEqual(['assigned', 0])
  })

  it('does not stop a task that ended in time', () => {
    const { scenario, process } = staged()
    const record = scenario.submit({ timeout: 250 })
    scenario.clock.advance(249)
    scenario.report(process, [ended(record, 'ok')])
    scenario.clock.runAll()
    expect(scenario.takeActions().filter((action) => action.startsWith('abort'))).toEqual([])
    expect([record.state, record.value]).toEqual(['succeeded', 1])
  })
})

describe('queueTimeout', () => {
  it('fails what waited too long for its first start, at its time', () => {
    const scenario = new LedgerScenario()
    const record = scenario.submit({ queueTimeout: 300 })
    expect(timeOf(scenario, 'ended t1 failed TASK_EXPIRED')).toBe(300)
    expect([record.attempt, scenario.ledger.queued]).toEqual([0, 0])
  })

  it('counts from when the delay is over, and not after the first start', () => {
    const { scenario, process } = staged()
    const record = scenario.submit({ queueTimeout: 300, delay: 1_000, backoff: BACKOFF })
    scenario.clock.advance(1_200)
    scenario.report(process, [ended(record, 'retryable')])
    scenario.close(process)
    scenario.clock.advance(10_000)
    expect(record.state).toBe('queued')
  })
})

describe('deadline', () => {
  it.each([
    ['while delayed', { delay: 1_000 }, 'failed'],
    ['while queued', {}, 'failed'],
  ])('ends the task at its time %s', (_, options, state) => {
    const scenario = new LedgerScenario()
    const record = scenario.submit({ deadline: 700, ...options })
    expect(timeOf(scenario, 'ended t1 failed TASK_EXPIRED')).toBe(700)
    expect(record.state).toBe(state)
  })

  it('stops what runs, and it is not tried again', () => {
    const { scenario, process } = staged()
    const record = scenario.submit({ deadline: 700, attempts: 5 })
    scenario.clock.settle()
    expect(timeOf(scenario, 'abort t1#1 at worker-1#1: expired')).toBe(700)
    scenario.report(process, [ended(record, 'retryable')])
    expect([record.state, record.error?.code]).toEqual(['failed', 'TASK_EXPIRED'])
  })

  it('is for all attempts together', () => {
    const { scenario, process } = staged()
    const record = scenario.submit({ deadline: 700, backoff: { ...BACKOFF, delay: 650 } })
    scenario.clock.advance(60)
    scenario.report(process, [ended(record, 'retryable')])
    expect(timeOf(scenario, 'ended t1 failed TASK_EXPIRED')).toBe(640)
    expect(record.state).toBe('failed')
  })
})
