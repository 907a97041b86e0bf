/** The decisions of order as what they are: pure functions. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  adaptive,
  type Candidate,
  chooseReplacement,
  chooseSession,
  DEFAULT_SESSION,
  leastLoaded,
  meanAfter,
  MIN_SESSION_MS,
  MIN_SPEED_SAMPLES,
  rankOf,
  roundRobin,
  strategies,
  type Strategy,
  wantsHolder,
  type WorkerLoad,
  WORTHWHILE_BACKLOG,
} from '../../machines/order-policy.ts'

const load: fc.Arbitrary<WorkerLoad> = fc
  .record({
    used: fc.nat({ max: 4 }),
    capacity: fc.integer({ min: 1, max: 4 }),
    meanMs: fc.integer({ min: 1, max: 1_000 }),
    samples: fc.nat({ max: 2 * MIN_SPEED_SAMPLES }),
  })
  .map((drawn) => ({ ...drawn, used: Math.min(drawn.used, drawn.capacity) }))
const loads = fc.array(load, { minLength: 1, maxLength: 6 })
const hasRoom = ({ used, capacity }: WorkerLoad) => used < capacity

describe('the rank of a task', () => {
  it('is its priority alone when nothing ages', () => {
    expect(rankOf(5_000, 3, 0)).toBe(3)
  })

  it('falls by a step of priority for each `ageingMs` it has waited', () => {
    const ms = fc.nat({ max: 1_000_000 })
    const property = fc.property(ms, ms, fc.integer({ min: 1, max: 60_000 }), (a, b, ageingMs) => {
      const [old, young] = [Math.min(a, b), Math.max(a, b)]
      const isFirst = rankOf(old, 20, ageingMs) < rankOf(young, 10, ageingMs)
      expect(isFirst).toBe(young - old > 10 * ageingMs)
    })
    fc.assert(property)
  })
})

describe('a strategy', () => {
  it.each(Object.entries(strategies) as [string, Strategy][])(
    '%s chooses one with room if there is one',
    (_, strategy) => {
      const property = fc.property(loads, fc.nat({ max: 10 }), (workers, turn) => {
        const index = strategy(workers, turn % workers.length, hasRoom)
        if (workers.some(hasRoom)) expect(hasRoom(workers[index] as WorkerLoad)).toBe(true)
        else expect(index).toBe(-1)
      })
      fc.assert(property)
    },
  )

  it('roundRobin takes the first from its turn on', () => {
    const workers = [false, true, false, true].map((isFree) => ({
      used: isFree ? 0 : 1,
      capacity: 1,
      meanMs: 0,
      samples: 0,
    }))
    expect([0, 1, 2, 3].map((turn) => roundRobin(workers, turn, hasRoom))).toEqual([1, 1, 3, 3])
  })

  it('leastLoaded takes the one with the smallest share in use', () => {
    const property = fc.property(loads, (workers) => {
      const chosen = workers[leastLoaded(workers, 0, hasRoom)]
      const shares = workers.filter(hasRoom).map(({ used, capacity }) => used / capacity)
      if (chosen) expect(chosen.used / chosen.capacity).toBe(Math.min(...shares))
    })
    fc.assert(property)
  })
})

describe('adaptive', () => {
  interface Runner {
    used: number
    readonly capacity: number
    meanMs: number
    samples: number
    readonly speedMs: number
    readonly ends: number[]
    started: number
  }

  /** Deals tasks out at such intervals; each worker takes its own time for one. */
  function deal(strategy: Strategy, speedsMs: readonly number[], tasks: number): Runner[] {
    const runners = speedsMs.map((speedMs): Runner => {
      return { used: 0, capacity: 4, meanMs: 0, samples: 0, speedMs, ends: [], started: 0 }
    })
    let turn = 0
    for (let nowMs = 0, dealt = 0; dealt < tasks; nowMs += 10) {
      for (const runner of runners) {
        const ended = runner.ends.filter((atMs) => atMs <= nowMs)
        runner.ends.splice(0, ended.length)
        for (const _ of ended) {
          runner.meanMs = meanAfter(runner, runner.speedMs)
          runner.samples++
        }
        runner.used = runner.ends.length
      }
      const index = strategy(runners, turn, hasRoom)
      if (index === -1) continue
      turn = (index + 1) % runners.length
      const runner = runners[index] as Runner
      runner.ends.push(nowMs + runner.speedMs)
      runner.used++
      runner.started++
      dealt++
    }
    return runners
  }

  it('spreads statically first: nobody is judged before it has been measured', () => {
    const started = deal(adaptive, [20, 20, 2_000], 9).map((runner) => runner.started)
    expect(started).toEqual([3, 3, 3])
  })

  it('then gives the faster workers more than their turn would', () => {
    const [fast, slow] = deal(adaptive, [20, 80], 1_000) as [Runner, Runner]
    expect(fast.started).toBeGreaterThan(3 * slow.started)
    const even = deal(roundRobin, [20, 80], 1_000).map((runner) => runner.started)
    expect(Math.abs((even[0] as number) - (even[1] as number))).toBeLessThan(100)
  })

  it('believes the newest times more than the old ones', () => {
    let worker = { used: 0, capacity: 1, meanMs: 0, samples: 0 }
    const run = (ms: number, times: number) => {
      for (let count = 0; count < times; count++) {
        worker = { ...worker, meanMs: meanAfter(worker, ms), samples: worker.samples + 1 }
      }
    }
    run(100, 10)
    expect(worker.meanMs).toBe(100)
    run(10, 20)
    expect(worker.meanMs).toBeLessThan(12)
  })
})

describe('chooseSession', () => {
  const demand = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.nat({ max: 20 }))
  const entries = demand.map((record) => new Map(Object.entries(record)))

  it('gives each that is waited for one holder before any gets two', () => {
    const property = fc.property(entries, fc.integer({ min: 1, max: 8 }), (waiting, workers) => {
      const holders = new Map<string, number>()
      for (let worker = 0; worker < workers; worker++) {
        const session = chooseSession(waiting, holders)
        holders.set(session, (holders.get(session) ?? 0) + 1)
      }
      const wanted = [...waiting].filter(([, count]) => count > 0).map(([name]) => name)
      const held = wanted.filter((name) => holders.has(name)).length
      expect(held).toBe(Math.min(wanted.length, workers))
      if (wanted.length === 0) expect([...holders.keys()]).toEqual([DEFAULT_SESSION])
    })
    fc.assert(property)
  })

  it('then goes by the waiting tasks per holder', () => {
    const waiting = new Map([
      ['a', 90],
      ['b', 20],
    ])
    expect(
      chooseSession(
        waiting,
        new Map([
          ['a', 2],
          ['b', 1],
        ]),
      ),
    ).toBe('a')
    expect(
      chooseSession(
        waiting,
        new Map([
          ['a', 5],
          ['b', 1],
        ]),
      ),
    ).toBe('b')
  })

  it('keeps what was there when nobody waits', () => {
    expect(chooseSession(new Map([['a', 0]]), new Map(), 'shop')).toBe('shop')
  })
})

describe('a worker makes way', () => {
  const candidate = (facts: Partial<Candidate>): Candidate => {
    return { used: 0, heldMs: MIN_SESSION_MS, isWanted: false, isLast: false, ...facts }
  }

  it('for a session that nobody holds, or that its holders cannot cope with', () => {
    expect(wantsHolder({ waiting: 0, workers: 0 })).toBe(false)
    expect(wantsHolder({ waiting: 1, workers: 0 })).toBe(true)
    expect(wantsHolder({ waiting: WORTHWHILE_BACKLOG, workers: 1 })).toBe(false)
    expect(wantsHolder({ waiting: WORTHWHILE_BACKLOG + 1, workers: 1 })).toBe(true)
  })

  it('the unwanted before the wanted, the idle before the busy, the last holder at last', () => {
    const inOrder = [
      candidate({}),
      candidate({ used: 2 }),
      candidate({ isWanted: true, used: 1 }),
      candidate({ isWanted: true, used: 2 }),
      candidate({ isWanted: true, isLast: true, used: 1 }),
    ]
    for (let first = 0; first < inOrder.length; first++) {
      const rest = inOrder.slice(first).toReversed()
      expect(chooseReplacement(rest, false)).toBe(rest.length - 1)
    }
  })

  it('not while it is the last to hold a session that was just opened', () => {
    const fresh = candidate({ isWanted: true, isLast: true, heldMs: MIN_SESSION_MS - 1 })
    expect(chooseReplacement([fresh], false)).toBe(-1)
    expect(chooseReplacement([{ ...fresh, isWanted: false }], false)).toBe(0)
  })

  it('for a session that is held only when it has nothing to do and has not just been opened', () => {
    expect(chooseReplacement([candidate({ used: 1 })], true)).toBe(-1)
    expect(chooseReplacement([candidate({ isWanted: true })], true)).toBe(-1)
    expect(chooseReplacement([candidate({ heldMs: 1 })], true)).toBe(-1)
    expect(chooseReplacement([candidate({})], true)).toBe(0)
  })
})
