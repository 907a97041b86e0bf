/**
 * What payloadOf lets pass arrives equal on the other side of the pipe; what it refuses, it
 * names. The oracle is V8's own serializer, which is what carries messages between the processes.
 */
import { deserialize, serialize } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isTroupeError } from '../../src/common/errors.ts'
import { MAX_PAYLOAD_DEPTH, payloadOf } from '../../src/values/payload.ts'
import { MAX_PAYLOAD_BYTES } from '../../src/common/limits.ts'

function refusal(value: unknown): string | null {
  try {
    payloadOf(value)
    return null
  } catch (error) {
    expect(isTroupeError(error, 'PAYLOAD_INVALID'), String(error)).toBe(true)
    return (error as Error).message
  }
}

class Order {
  readonly po = 'PO-001'
}

const carried = fc.anything({
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
  maxDepth: 3,
})
const lost = fc.constantFrom<[unknown, string]>(
  [() => 1, 'is a function'],
  [Symbol('s'), 'is a symbol'],
  [Promise.resolve(1), 'is a Promise'],
  [new WeakMap(), 'is a WeakMap'],
  [new WeakSet(), 'is a WeakSet'],
  [new WeakRef({}), 'is a WeakRef'],
  [new Order(), 'is an Order'],
  [new URL('https://portal.example'), 'send its .href'],
  [new Proxy({}, {}), 'is a Proxy'],
  [new SharedArrayBuffer(1), 'is a SharedArrayBuffer'],
  [Object.assign(new Error('x'), { code: 'E' }), "property 'code'"],
  [new (class PortalError extends Error {})('x'), 'is a PortalError'],
  [Object.create(Date.prototype), 'is a Date'],
  [Object.create({ inherited: 1 }), 'a prototype of its own'],
)

describe('payloadOf', () => {
  it('lets pass only what arrives equal', () => {
    fc.assert(
      fc.property(carried, (value) => {
        if (refusal(value) !== null) return
        const arrived: unknown = deserialize(serialize(value))
        // An object without a prototype arrives with one; everything else is the same.
        expect(arrived).toEqual(value)
      }),
      { numRuns: 2_000 },
    )
  })

  it('refuses nothing that is JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        expect(refusal(value)).toBeNull()
      }),
      { numRuns: 1_000 },
    )
  })

  it('finds what is lost, however deep, and names the place', () => {
    const place = fc.array(fc.oneof(fc.nat(3), fc.stringMatching(/^[a-z]{1,5}$/)), { maxLength: 6 })
    fc.assert(
      fc.property(place, lost, (steps, [value, words]) => {
        const payload = steps.reduceRight<unknown>((inner, step) => {
          if (typeof step === 'string') return { before: 1, [step]: inner, zlast: 'x' }
          return Object.assign(Array.from<unknown>({ length: step }).fill(0), { [step]: inner })
        }, value)
        const path = steps.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`))
        const reported = refusal(payload)
        expect(reported).toContain(`payload${path.join('')} `)
        expect(reported).toContain(words)
      }),
      { numRuns: 500 },
    )
  })

  it.each([
    ['a Map', new Map<unknown, unknown>([['a', { f: () => 1 }]]), 'payload.get("a").f '],
    ['a key of a Map', new Map([[{ f: () => 1 }, 1]]), 'payload key 0.f '],
    ['a Set', new Set([1, () => 1]), 'payload entry 1 '],
    ['a cause', new Error('x', { cause: { f: () => 1 } }), 'payload.cause.f '],
    ['an odd name', { 'a b': Symbol('x') }, 'payload["a b"] '],
    ['a symbol key', { [Symbol('k')]: 1 }, 'a key that is a symbol'],
    [
      'a getter that throws',
      Object.defineProperty({}, 'g', {
        enumerable: true,
        get() {
          throw new Error('no')
        },
      }),
      'payload.g cannot be read',
    ],
  ])('names the place inside %s', (_, value, words) => {
    expect(refusal(value)).toContain(words)
  })

  it('keeps cycles and shared references, as the clone does', () => {
    const order: Record<string, unknown> = { po: 'PO-001' }
    order.self = order
    order.list = [order, { order }]
    expect(refusal(order)).toBeNull()
  })

  it('takes plain values of another realm', () => {
    expect(refusal(runInNewContext('({ a: [1], d: new Date(), m: new Map() })'))).toBeNull()
    expect(refusal(runInNewContext('[{ f() {} }]'))).toContain('payload[0].f is a function')
    expect(refusal(runInNewContext('class A {}; new A()'))).toContain('is an A')
  })

  it('refuses what is too large, before anything is copied', () => {
    const half = Buffer.alloc(MAX_PAYLOAD_BYTES / 2 + 1)
    expect(refusal({ half })).toBeNull()
    expect(refusal({ a: half, b: Buffer.from(half) })).toContain('larger than 64 MiB')
    expect(refusal('x'.repeat(MAX_PAYLOAD_BYTES))).toContain('larger than 64 MiB')
    expect(refusal('é'.repeat(MAX_PAYLOAD_BYTES / 2 + 1))).toBeNull()
    expect(refusal('日'.repeat(MAX_PAYLOAD_BYTES / 2 + 1))).toContain('larger than 64 MiB')
    expect(refusal(Object.assign([], { length: 1e9 }))).toContain('larger than 64 MiB')
  })

  it('counts nearly what the clone will need', () => {
    const text = 'x'.repeat(500)
    const order = (n: number) => ({ po: `PO-${n}`, lines: [n, 1.5, null], text })
    const bytes = serialize(order(1)).length
    const orders = (share: number) =>
      Array.from({ length: (share * MAX_PAYLOAD_BYTES) / bytes }, (_, n) => order(n))
    expect(refusal(orders(0.9))).toBeNull()
    expect(refusal(orders(1.1))).toContain('larger than 64 MiB')
  })

  it('refuses what is too deep instead of running out of stack', () => {
    const nest = (levels: number) =>
      Array.from({ length: levels }).reduce<unknown>((inner) => ({ inner }), 1)
    expect(refusal(nest(MAX_PAYLOAD_DEPTH))).toBeNull()
    expect(refusal(nest(MAX_PAYLOAD_DEPTH + 2))).toContain('deeper than')
    expect(refusal(nest(100_000))).toContain('deeper than')
  })
})
