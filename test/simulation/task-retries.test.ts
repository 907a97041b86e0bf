/** How often a task starts and what it waits between: each option, by example. */
import { describe, expect, it } from 'vitest'
import { MAX_KILLS, MAX_RELEASES } from '../../machines/policy.ts'
import { LedgerScenario } from './ledger-scenario.ts'
import { ended, FAILURE, staged } from './one-process.ts'

const BACKOFF = { type: 'fixed', delay: 100, maxDelay: 1_000, jitter: 0 } as const

describe('attempts and backoff', () => {
  /** The waits between the failures of a task that always fails, in ms. */
  function waitsOf(options: Parameters<LedgerScenario['submit']>[0], random = 0.5): number[] {
    const { scenario, process } = staged({ random })
    const record = scenario.submit(options)
    const waits: number[] = []
    for (;;) {
      scenario.clock.settle()
      scenario.report(process, [ended(record, 'retryable')])
      if (record.state === 'failed') break
      const fromMs = scenario.clock.nowMs()
      const attempt = record.attempt
      while (record.attempt === attempt) scenario.clock.advance(1)
      waits.push(scenario.clock.nowMs() - fromMs)
    }
    expect(record.attempt).toBe(waits.length + 1)
    expect(record.error).toEqual(FAILURE)
    return waits
  }

  it('starts that often and no more', () => {
    expect(waitsOf({ attempts: 1, backoff: BACKOFF })).toEqual([])
    expect(waitsOf({ attempts: 4, backoff: BACKOFF })).toEqual([100, 100, 100])
  })

  it('waits twice as long each time, up to the most', () => {
    const backoff = { ...BACKOFF, type: 'exponential', maxDelay: 500 } as const
    expect(waitsOf({ attempts: 6, backoff })).toEqual([100, 200, 400, 500, 500])
  })

  it('draws its jitter around the delay', () => {
    const backoff = { ...BACKOFF, jitter: 0.2 }
    expect(waitsOf({ attempts: 2, backoff }, 0)).toEqual([80])
    expect(waitsOf({ attempts: 2, backoff }, 0.5)).toEqual([100])
    expect(waitsOf({ attempts: 2, backoff }, 0.999_999)).toEqual([120])
  })

  it('does not try again what another start would not help', () => {
    const { scenario, process } = staged()
    const record = scenario.submit({ attempts: 5 })
    scenario.clock.settle()
    scenario.report(process, [ended(record, 'permanent')])
    expect([record.state, record.attempt]).toEqual(['failed', 1])
  })

  it('does not count a released start, but for no more than the limit', () => {
    const { scenario, process } = staged()
    const record = scenario.submit({ attempts: 1 })
    for (let released = 0; released < MAX_RELEASES; released++) {
      scenario.clock.settle()
      scenario.report(process, [ended(record, 'released')])
      expect(record.state).toBe('queued')
    }
    scenario.clock.settle()
    scenario.report(process, [ended(record, 'released')])
    expect([record.state, record.attempt]).toEqual(['failed', MAX_RELEASES + 1])
  })

  it('a released task goes before those that have not had their turn', () => {
    const { scenario, process } = staged({ tasksPerWorker: 2 })
    const first = scenario.submit({ backoff: BACKOFF })
    scenario.clock.settle()
    scenario.report(process, [ended(first, 'retryable')])
    scenario.clock.advance(100)
    scenario.submit()
    scenario.clock.settle()
    scenario.submit()
    scenario.exit(process, 'recycled')
    const next = scenario.open('worker-1')
    scenario.clock.settle()
    expect(next.attempts.map(({ taskId }) => taskId)).toEqual(['t1', 't2'])
  })
})

describe('idempotent', () => {
  it.each(['crashed', 'recycled'] as const)('false: not again after its worker %s', (cause) => {
    const { scenario, process } = staged()
    const record = scenario.submit({ attempts: 5, idempotent: false })
    scenario.clock.settle()
    scenario.exit(process, cause)
    expect([record.state, record.error?.code]).toEqual(['failed', 'WORKER_LOST'])
  })

  it('false: a failure that it told itself is tried again', () => {
    const { scenario, process } = staged()
    const record = scenario.submit({ idempotent: false })
    scenario.clock.settle()
    scenario.report(process, [ended(record, 'retryable')])
    expect(record.state).toBe('backingOff')
  })

  it('true: again after a crash, but not once it alone has killed its worker too often', () => {
    const scenario = new LedgerScenario()
    const record = scenario.submit({ attempts: 5, backoff: BACKOFF })
    for (let kills = 1; kills <= MAX_KILLS; kills++) {
      const process = scenario.open('worker-1')
      scenario.clock.advance(100)
      scenario.exit(process, 'crashed')
    }
    expect([record.state, record.attempt]).toEqual(['failed', MAX_KILLS])
    expect(record.error?.message).toContain('quarantined')
  })

  it('true: who was only beside it is not blamed', () => {
    const scenario = new LedgerScenario({ tasksPerWorker: 2 })
    const records = [scenario.submit({ backoff: BACKOFF }), scenario.submit({ backoff: BACKOFF })]
    for (let kills = 0; kills < MAX_KILLS; kills++) {
      const process = scenario.open('worker-1')
      scenario.clock.advance(100)
      scenario.exit(process, 'crashed')
    }
    expect(records.map(({ state, kills }) => [state, kills])).toEqual([
      ['backingOff', 0],
      ['backingOff', 0],
    ])
  })
})
