import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../support/virtual-clock.ts'

describe('the virtual clock', () => {
  it('fires timers at their times, in the order of their setting within one', () => {
    const arbitraryDelays = fc.array(fc.nat({ max: 20 }), { maxLength: 30 })
    fc.assert(
      fc.property(arbitraryDelays, fc.nat({ max: 25 }), (delays, ms) => {
        const clock = new VirtualClock()
        const seen: [number, number][] = []
        for (const [index, delay] of delays.entries()) {
          clock.after(delay, () => seen.push([clock.nowMs(), index]))
        }
        const order = [...delays.entries()].toSorted(([, a], [, b]) => a - b)
        clock.advance(ms)
        expect(seen).toEqual(order.filter(([, at]) => at <= ms).map(([index, at]) => [at, index]))
        expect(clock.nowMs()).toBe(ms)
        clock.runAll()
        expect(seen).toEqual(order.map(([index, at]) => [at, index]))
        expect(clock.timers).toBe(0)
      }),
    )
  })

  it('makes deferred calls after what is due now and before any later timer', () => {
    const clock = new VirtualClock()
    const seen: string[] = []
    clock.after(1, () => {
      seen.push('first')
      clock.defer(() => {
        seen.push('deferred')
        clock.defer(() => seen.push('deferred again'))
      })
    })
    clock.after(2, () => seen.push('second'))
    clock.advance(5)
    expect(seen).toEqual(['first', 'deferred', 'deferred again', 'second'])
  })

  it('does not fire what was taken back', () => {
    const clock = new VirtualClock()
    const takeBack = clock.after(1, () => expect.unreachable())
    takeBack()
    takeBack()
    clock.runAll()
    expect(clock.nowMs()).toBe(0)
  })

  it('says so when timers set each other for ever', () => {
    const clock = new VirtualClock()
    const again = () => void clock.after(1, again)
    again()
    expect(() => clock.runAll()).toThrow('do not end')
  })
})
