/** The clock of simulations: order, scopes that end, freeze and thaw; and seeds as users give them. */
import { describe, expect, it } from 'vitest'
import { parseSeed, SeededRandom } from '../../src/testing/simulation/seeded-random.ts'
import { VirtualClock } from '../../src/testing/simulation/virtual-clock.ts'

const WEEKS_MS = 2_000_000_000

function setUp() {
  const clock = new VirtualClock()
  const seen: string[] = []
  const note = (what: string) => () => void seen.push(`${clock.nowMs()} ${what}`)
  const runAll = () => {
    for (let calls = 0; clock.step(); calls++) if (calls > 1_000) throw new Error('it never ends')
    return seen
  }
  return { clock, seen, note, runAll, scope: clock.scope('a') }
}

describe('the clock', () => {
  it('calls by time, then by the order of setting, deferred calls first', () => {
    const { scope, note, runAll } = setUp()
    scope.after(5, note('late'))
    scope.after(1, note('first'))
    scope.after(1, note('second'))
    scope.defer(note('deferred'))
    expect(runAll()).toEqual(['0 deferred', '1 first', '1 second', '5 late'])
  })

  it('keeps the order of many timers', () => {
    const { clock, scope, runAll } = setUp()
    const random = new SeededRandom(1)
    const calls: number[] = []
    for (let n = 0; n < 500; n++) scope.after(random.int(0, 50), () => calls.push(clock.nowMs()))
    runAll()
    expect(calls).toHaveLength(500)
    expect(calls).toEqual(calls.toSorted((a, b) => a - b))
  })

  it('lets go of timers that were taken back long before their time', () => {
    const { clock, scope } = setUp()
    const kept = new Set<number>()
    for (let timer = 0; timer < 10_000; timer++) {
      const takeBack = scope.after(WEEKS_MS + timer, () => void kept.add(timer))
      if (timer % 1_000 !== 0) takeBack()
    }
    expect(clock.held).toBeLessThan(600)
    while (clock.step());
    expect([...kept]).toEqual(Array.from({ length: 10 }, (_, at) => at * 1_000))
  })

  it('does not pass a limit', () => {
    const { clock, scope, note, seen } = setUp()
    scope.after(10, note('due'))
    expect(clock.step(9)).toBe(false)
    expect(clock.step(10)).toBe(true)
    expect(seen).toEqual(['10 due'])
  })
})

describe('a scope', () => {
  it('takes its timers with it, and sets none afterwards', () => {
    const { clock, scope, note, runAll } = setUp()
    scope.after(1, note('never'))
    scope.defer(note('never'))
    clock.scope('b').after(1, note('of another'))
    scope.end()
    scope.after(1, note('never'))
    expect(scope.timers).toBe(0)
    expect(runAll()).toEqual(['1 of another'])
  })

  it('calls what came due while it was frozen once it thaws', () => {
    const { clock, scope, note, runAll } = setUp()
    scope.after(1, note('frozen'))
    scope.freeze()
    clock.scope('b').after(10, () => scope.thaw())
    expect(runAll()).toEqual(['10 frozen'])
  })

  it('repeats an interval until it is cleared, and forgets what was taken back', () => {
    const { scope, note, runAll } = setUp()
    const tick = note('tick')
    const timer = scope.setInterval(() => {
      tick()
      if (scope.nowMs() >= 6) scope.clearTimeout(timer)
    }, 2)
    scope.after(1, note('taken back'))()
    expect(runAll()).toEqual(['2 tick', '4 tick', '6 tick'])
    expect(scope.timers).toBe(0)
  })
})

describe('a seed', () => {
  it.each([0, 1, '42', ' 7 ', Number.MAX_SAFE_INTEGER])('may be %s', (given) => {
    expect(parseSeed(given)).toBe(Number(given))
  })
  it.each(['abc', '', '1.5', -1, 2 ** 53, null, undefined, true, Number.NaN])(
    'may not be %s',
    (given) => {
      expect(() => parseSeed(given)).toThrow(/^seed: must be a whole number/)
    },
  )
  it('gives its own numbers, evenly spread', () => {
    const draw = (seed: number) => {
      const random = new SeededRandom(seed)
      return Array.from({ length: 1_000 }, () => random.int(0, 9))
    }
    expect(draw(1)).toEqual(draw(1))
    expect(draw(1)).not.toEqual(draw(2))
    const counts = Map.groupBy(draw(3), (digit) => digit)
    expect(counts.size).toBe(10)
    for (const digits of counts.values()) expect(digits.length).toBeGreaterThan(60)
  })
})
