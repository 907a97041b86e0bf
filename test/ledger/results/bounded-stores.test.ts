/** What the ledger keeps of ended tasks, in memory: bounded by count and by bytes, and fair about it. */
import { serialize } from 'node:v8'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BoundedMap } from '../../../src/common/bounded-map.ts'
import { MemoryDeadLetters, type StoredLetter } from '../../../src/ledger/results/dead-letters.ts'
import { MemoryResultCache } from '../../../src/ledger/results/result-cache.ts'
import { DEFAULT_TASK_OPTIONS } from '../../../src/config/task-options.ts'
import { heldBytes } from '../../support/held-bytes.ts'

const letterOf = (id: string, letter: Partial<StoredLetter> = {}): StoredLetter => ({
  id,
  name: 'download',
  payload: { po: id },
  options: DEFAULT_TASK_OPTIONS,
  error: { code: 'TASK_FAILED', message: 'no', name: 'TypeError', ownCode: 'ECONNRESET' },
  attempts: 3,
  submittedAt: 1,
  failedAt: 2,
  ...letter,
})

describe('a bounded map', () => {
  const step = fc.record({
    key: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    do: fc.constantFrom('put', 'put', 'use', 'get', 'delete'),
    bytes: fc.nat({ max: 6 }),
  })

  it('keeps what a plain list of the youngest would keep', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const map = new BoundedMap<number>({ maxEntries: 3, maxBytes: 8 })
        let list: { key: string; bytes: number; at: number }[] = []
        for (const [at, { key, bytes, ...made }] of steps.entries()) {
          const mine = list.find((entry) => entry.key === key)
          const others = list.filter((entry) => entry.key !== key)
          if (made.do === 'put') {
            map.put(key, at, bytes)
            list = [...others, { key, bytes, at }]
            while (list.length > 3 || list.reduce((sum, { bytes: own }) => sum + own, 0) > 8) {
              list.shift()
            }
          } else if (made.do === 'delete') {
            expect(map.delete(key)).toBe(mine !== undefined)
            list = others
          } else {
            expect(map[made.do](key)).toBe(mine?.at)
            if (made.do === 'use' && mine !== undefined) list = [...others, mine]
          }
          expect([...map.values()]).toEqual(list.map((entry) => entry.at))
          expect(map.bytes).toBe(list.reduce((sum, { bytes: own }) => sum + own, 0))
        }
      }),
    )
  })

  it('refuses what is too big by itself, and keeps the rest', () => {
    const map = new BoundedMap<string>({ maxEntries: 3, maxBytes: 10 })
    map.put('a', 'A', 4)
    expect([map.put('b', 'B', 11), [...map.values()], map.dropped]).toEqual([false, ['A'], 1])
  })
})

describe('dead letters', () => {
  it('are listed by page, oldest failure first, and by name and error code', () => {
    const letters = new MemoryDeadLetters()
    for (const id of ['a', 'b', 'c', 'd']) letters.add(letterOf(id))
    letters.add(letterOf('e', { name: 'print', error: { code: 'WORKER_LOST', message: '' } }))
    letters.add(letterOf('a', { attempts: 6 }))
    const ids = (after: number, filter = {}) => {
      const page = letters.list(filter, after, 2)
      return [page.letters.map(({ id }) => id), page.next]
    }
    expect(ids(0)).toEqual([['b', 'c'], 3])
    expect(ids(3)).toEqual([['d', 'e'], 5])
    expect(ids(5)).toEqual([['a'], null])
    expect(ids(0, { name: 'print' })).toEqual([['e'], null])
    expect(ids(4, { errorCode: 'TASK_FAILED' })).toEqual([['a'], null])
    expect(ids(4, { errorCode: 'ECONNRESET' })).toEqual([['a'], null])
    expect(ids(4, { errorCode: 'TypeError' })).toEqual([['a'], null])
    expect(letters.get('a')?.attempts).toBe(6)
  })

  it('keep the payload as it was, whatever becomes of it later', () => {
    const letters = new MemoryDeadLetters()
    const payload = { orders: new Map([['PO-1', { amount: 2n }]]), since: new Date(0) }
    letters.add(letterOf('a', { payload }))
    payload.orders.clear()
    const kept = letters.get('a')?.payload
    expect(kept).toEqual({ orders: new Map([['PO-1', { amount: 2n }]]), since: new Date(0) })
  })

  it('lose the oldest past their count and past their bytes, and say so', () => {
    const few = new MemoryDeadLetters(2)
    for (const id of ['a', 'b', 'c']) few.add(letterOf(id))
    expect([few.get('a'), few.count, few.dropped]).toEqual([null, 2, 1])
    const small = new MemoryDeadLetters(100, 10_000)
    for (const id of ['a', 'b', 'c']) small.add(letterOf(id, { payload: Buffer.alloc(4_000) }))
    expect([small.get('a'), small.count]).toEqual([null, 1])
    expect(small.bytes).toBeGreaterThan(4_000)
    expect(small.bytes).toBeLessThan(10_000)
  })

  it('are deleted once', () => {
    const letters = new MemoryDeadLetters()
    letters.add(letterOf('a'))
    expect([letters.delete('a'), letters.delete('a'), letters.bytes]).toEqual([true, false, 0])
  })
})

describe('the result cache', () => {
  it('gives each asker a value of its own', () => {
    const cache = new MemoryResultCache()
    cache.put('k', { rows: [1] }, 0)
    const first = cache.get('k', 0)?.value as { rows: number[] }
    first.rows.push(2)
    expect(cache.get('k', 0)).toEqual({ value: { rows: [1] } })
  })

  it('tells a kept undefined from nothing', () => {
    const cache = new MemoryResultCache()
    cache.put('k', undefined, 0)
    expect([cache.get('k', 0), cache.get('other', 0)]).toEqual([{ value: undefined }, null])
  })

  it('forgets what is too old, to the millisecond', () => {
    const cache = new MemoryResultCache()
    cache.put('k', 1, 500)
    expect([cache.get('k', 499)?.value, cache.get('k', 500), cache.count]).toEqual([1, null, 0])
  })

  it('gives up the least recently used for room', () => {
    const bytes = serialize('x'.repeat(1_000)).byteLength + 300
    const cache = new MemoryResultCache(2 * bytes)
    for (const key of ['a', 'b']) cache.put(key, 'x'.repeat(1_000), 0)
    cache.get('a', 0)
    cache.put('c', 'x'.repeat(1_000), 0)
    expect(['a', 'b', 'c'].map((key) => cache.get(key, 0) !== null)).toEqual([true, false, true])
    expect(cache.bytes).toBeLessThanOrEqual(2 * bytes)
  })
})

/** What is held after `rounds` more than after the first of them. */
async function growth(rounds: number, round: (count: number) => void): Promise<number> {
  round(0)
  const before = await heldBytes()
  for (let count = 1; count <= rounds; count++) round(count)
  return (await heldBytes()) - before
}

describe('memory', () => {
  const KEYS = 10
  const MB = 1024 * 1024
  const result = Buffer.alloc(50_000, 'x')

  it('does not grow by looking things up', async () => {
    const cache = new MemoryResultCache()
    for (let key = 0; key < KEYS; key++) cache.put(`${key}`, key, 0)
    const grown = await growth(20, () => {
      for (let hit = 0; hit < 20_000; hit++) cache.get(`${hit % KEYS}`, 0)
    })
    expect(grown).toBeLessThan(2 * MB)
  })

  it('of results is given back when others take their place', async () => {
    const cache = new MemoryResultCache()
    const grown = await growth(200, () => {
      for (let key = 0; key < KEYS; key++) cache.put(`${key}`, result, 0)
    })
    expect(grown).toBeLessThan(10 * MB)
  })

  it('of results is given back when they are too old', async () => {
    const cache = new MemoryResultCache()
    const grown = await growth(200, (nowMs) => {
      for (let key = 0; key < KEYS; key++) {
        cache.get(`${key}`, nowMs)
        cache.put(`${key}`, result, nowMs + 1)
      }
    })
    expect(grown).toBeLessThan(10 * MB)
  })

  it('of dead letters is given back when they are sent again', async () => {
    const letters = new MemoryDeadLetters()
    const grown = await growth(200, (round) => {
      for (let key = 0; key < KEYS; key++)
        letters.add(letterOf(`${round}.${key}`, { payload: result }))
      for (let key = 0; key < KEYS; key++) letters.delete(`${round}.${key}`)
    })
    expect(grown).toBeLessThan(10 * MB)
  })
})
