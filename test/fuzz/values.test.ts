/**
 * Values that cross the border, drawn at random: every type that structured clone knows, and objects
 * that it refuses or changes. What passes arrives equal, there and back; what is done to the original
 * afterwards changes nothing; what is counted is never less than what is written (G7).
 */
import { deserialize, serialize } from 'node:v8'
import { isDeepStrictEqual } from 'node:util'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isTroupeError } from '../../src/common/errors.ts'
import { copyOf, snapshot, weigh } from '../../src/values/snapshot.ts'
import { logLine } from '../../src/child/log-line.ts'
import { Outbox } from '../../src/child/outbox.ts'
import type { Frame, Report } from '../../src/process/ipc/protocol.ts'

const LIMIT = 64 * 1024 * 1024

const clonable = fc.anything({
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
  maxDepth: 3,
})
const kinds = fc.oneof(
  clonable,
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  fc.uint8Array().map((bytes) => Buffer.from(bytes).buffer.slice(0, bytes.length)),
  fc.uint8Array({ minLength: 2 }).map(({ buffer }) => new DataView(buffer, 1)),
  fc.stringMatching(/^[dgimsy]?$/).map((flags) => new RegExp('[日]', flags)),
  fc.constant(null).map(() => new Date(Number.NaN)),
  fc.constantFrom(-0, Number.NaN, 2n ** 200n, undefined),
  fc.string().map((text) => new RangeError(text, { cause: { text } })),
  fc.string({ unit: 'binary' }),
  fc.stringMatching(/^a[a-z]{0,9}$/).map((text) => /a(?<rest>.*)/.exec(text)),
  fc
    .constantFrom('({ a: [1], d: new Date(3) })', '[new Map([[1, {}]]), new Uint8Array(3)]')
    .map((code): unknown => runInNewContext(code)),
)
const value = fc.oneof(
  kinds,
  fc.array(kinds, { maxLength: 5 }),
  fc.dictionary(fc.string(), kinds, { maxKeys: 5 }),
  fc.array(fc.tuple(kinds, kinds), { maxLength: 4 }).map((entries) => new Map(entries)),
)

class Order {
  readonly po = 'PO-001'
}
class PortalError extends Error {}
const page = new Proxy({}, { ownKeys: () => [] })
const REFUSED: readonly [name: string, value: unknown, words: string][] = [
  ['a URL', new URL('https://portal.example'), 'is a URL; send its .href'],
  ['Headers', new Headers({ a: 'b' }), 'is a Headers; send Object.fromEntries'],
  ['FormData', new FormData(), 'is a FormData'],
  ['a Blob', new Blob(['a']), 'is a Blob; send await blob.arrayBuffer()'],
  ['a File', new File(['a'], 'a.txt'), 'is a File'],
  ['a Response', new Response('a'), 'is a Response'],
  ['a Request', new Request('https://portal.example'), 'is a Request'],
  ['a stream', new ReadableStream(), 'is a ReadableStream'],
  ['a Promise', Promise.resolve(1), 'is a Promise; await it first'],
  ['a class', new Order(), 'is an Order'],
  ['an error of a class', new PortalError('x'), 'is a PortalError; its class would be lost'],
  ['an error with a property', Object.assign(new Error('x'), { code: 'E' }), "property 'code'"],
  ['a Map with a property', Object.assign(new Map(), { extra: 1 }), "property 'extra'"],
  ['a function', () => 1, 'is a function'],
  ['a symbol', Symbol('s'), 'is a symbol'],
  ['a key that is a symbol', { [Symbol('s')]: 1 }, 'a key that is a symbol'],
  ['a Proxy', page, 'is a Proxy'],
  ['a WeakMap', new WeakMap(), 'is a WeakMap; send a Map'],
  ['shared memory', new SharedArrayBuffer(8), 'is a SharedArrayBuffer'],
  ['a generator', (function* () {})(), 'object with a prototype of its own'],
  ['arguments of no array', Object.create({ inherited: 1 }), 'a prototype of its own'],
  [
    'a module of WebAssembly',
    new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])),
    'is a Module',
  ],
]

function refusal(of: unknown, label = 'result'): string {
  try {
    snapshot(of, label)
    return 'it passed'
  } catch (error) {
    expect(isTroupeError(error, 'PAYLOAD_INVALID'), String(error)).toBe(true)
    return (error as Error).message
  }
}

/** Changes everything in it that can be changed. */
function spoil(of: unknown, seen = new Set<unknown>()): void {
  if (typeof of !== 'object' || of === null || seen.has(of)) return
  seen.add(of)
  if (of instanceof Map) {
    for (const inner of [...of.keys(), ...of.values()]) spoil(inner, seen)
    of.clear()
  } else if (of instanceof Set) of.clear()
  else if (of instanceof Date) of.setTime(1)
  else if (ArrayBuffer.isView(of)) new Uint8Array(of.buffer, of.byteOffset, of.byteLength).fill(7)
  else if (of instanceof ArrayBuffer) new Uint8Array(of).fill(7)
  else {
    for (const key of Object.keys(of)) {
      spoil(Reflect.get(of, key), seen)
      Reflect.set(of, key, () => 'spoiled')
    }
    Reflect.set(of, 'spoiled', Promise.resolve())
  }
}

const overThePipe = (of: unknown): unknown => deserialize(serialize(of))

describe('values that cross the border', () => {
  it('arrive equal, there and back, whatever becomes of the original', () => {
    fc.assert(
      fc.property(value, (original) => {
        if (refusal(original) !== 'it passed') return
        const before = overThePipe(original)
        const sent = snapshot(original, 'payload').value
        spoil(original)
        const arrived = overThePipe(sent)
        expect(isDeepStrictEqual(arrived, before)).toBe(true)
        const result = snapshot(arrived, 'result').value
        spoil(arrived)
        expect(isDeepStrictEqual(overThePipe(result), before)).toBe(true)
        const shown = copyOf(sent)
        spoil(shown)
        expect(isDeepStrictEqual(overThePipe(sent), before)).toBe(true)
      }),
      { numRuns: 3_000 },
    )
  })

  it('count for no less than what is written', () => {
    fc.assert(
      fc.property(value, (original) => {
        if (refusal(original) !== 'it passed') return
        const { value: sent, bytes } = snapshot(original, 'payload')
        // Two bytes are the serializer's own.
        expect(bytes + 2).toBeGreaterThanOrEqual(serialize(sent).byteLength)
        expect(weigh(sent, LIMIT)).toBeGreaterThan(0)
      }),
      { numRuns: 2_000 },
    )
  })

  it.each(REFUSED)('%s is refused by name, at the top and within', (_, odd, words) => {
    expect(refusal(odd)).toContain(words)
    expect(refusal({ rows: [1, { odd }] })).toContain('result.rows[1].odd ')
    expect(refusal(new Map([['k', new Set([odd])]]), 'payload')).toContain(
      'payload.get("k") entry 0 ',
    )
  })

  it('are read once: a getter that answers otherwise the second time is never asked again', () => {
    let reads = 0
    const tricky = {
      get id() {
        reads += 1
        return reads === 1 ? 'first' : () => 'second'
      },
    }
    expect(snapshot([tricky], 'payload').value).toEqual([{ id: 'first' }])
    expect(reads).toBe(1)
  })

  it('keep cycles and what is shared, in a copy of their own', () => {
    const shared = { rows: [1] }
    const order: Record<string, unknown> = { shared, again: [shared], map: new Map([[shared, 1]]) }
    order['self'] = order
    const copy = snapshot(order, 'payload').value as Record<string, unknown>
    expect(copy['self']).toBe(copy)
    expect(copy['shared']).not.toBe(shared)
    expect((copy['again'] as unknown[])[0]).toBe(copy['shared'])
    expect([...(copy['map'] as Map<unknown, unknown>).keys()]).toEqual([copy['shared']])
  })

  it('keep a Buffer without the pool it is a view of, and strings as they are', () => {
    const { buffer, byteLength } = snapshot(Buffer.from('abc'), 'payload').value as Buffer
    expect([buffer.byteLength, byteLength]).toEqual([3, 3])
  })

  it.each<[string, () => unknown, boolean]>([
    ['an error of 100 MB', () => new Error('x'.repeat(1e8)), false],
    ['30 giant BigInts', () => Array.from({ length: 30 }, () => 1n << 24_000_000n), false],
    ['40 million characters of one byte', () => 'x'.repeat(4e7), true],
    ['40 million characters of two bytes', () => ['日'.repeat(4e7)], false],
    ['30 million characters of two bytes', () => ['日'.repeat(3e7)], true],
    ['a billion empty places', () => Object.assign([], { length: 1e9 }), false],
  ])('are measured right: %s', (_, make, passes) => {
    const reported = refusal(make())
    if (passes) expect(reported).toBe('it passed')
    else expect(reported).toContain('result is larger than 64 MiB')
  })
})

describe('a log line', () => {
  const hostile = new Proxy(
    {},
    {
      get: () => {
        throw new Error('get')
      },
      ownKeys: () => {
        throw new Error('ownKeys')
      },
      getPrototypeOf: () => {
        throw new Error('getPrototypeOf')
      },
    },
  )
  function logged(message: unknown, fields: unknown): Extract<Report, { kind: 'log' }> {
    const frames: Frame<Report>[] = []
    const outbox = new Outbox(1, (frame) => frames.push(frame) > 0)
    logLine(outbox, message, fields, { taskId: 't' })
    outbox.flush()
    return overThePipe(frames[0]?.items[0]) as Extract<Report, { kind: 'log' }>
  }

  it.each<[string, unknown]>([
    ...REFUSED.map(([name, odd]): [string, unknown] => [name, odd]),
    ['a hostile Proxy', hostile],
  ])('keeps its message and its other fields beside %s', (_, odd) => {
    expect(logged('saved', { po: 'PO-1', odd })).toMatchObject({
      message: 'saved',
      fields: { po: 'PO-1', odd: expect.anything(), taskId: 't' },
    })
    expect(logged('saved', odd)).toMatchObject({ message: 'saved', fields: { taskId: 't' } })
  })

  it('are copied at once when they are arrays of billions of holes', () => {
    const holes = Object.assign([], { 7: 'a', [2 ** 31]: { b: 1 }, length: 2 ** 32 - 1 })
    const copy = copyOf(holes) as unknown[]
    expect([copy.length, Object.keys(copy)]).toEqual([2 ** 32 - 1, ['7', String(2 ** 31)]])
    expect([copy[7], copy[2 ** 31]]).toEqual(['a', { b: 1 }])
    expect(weigh(holes, LIMIT)).toBeGreaterThan(LIMIT)
  })

  it('is written even when its message cannot be read', () => {
    expect(logged(hostile, {}).message).toBe('[unreadable message]')
    expect(logged(Object.create(null), undefined).message).toBe('[unreadable message]')
  })
})
