/**
 * Mutations of a valid frame, drawn at random: its structure, its types, its order, its sender, and the
 * bytes that carry it. What comes out may still be a frame, or be none, or not even be readable.
 */
import type { SeededRandom } from '../../src/testing/simulation/seeded-random.ts'
import { encodeMessage, MAX_MESSAGE_BYTES, MessageReader } from '../../src/process/ipc/channel.ts'

type Fields = Record<string, unknown>
/** A place in a value: what holds it, and under which key. */
type Place = readonly [holder: Fields, key: string]

const KINDS = [
  'loaded',
  'sessionLaunched',
  'sessionReady',
  'sessionFailed',
  'browserLost',
  'started',
  'ended',
  'progress',
  'log',
  'login',
  'retire',
  'heartbeat',
  'none',
] as const
const WORDS = ['ok', 'retryable', 'permanent', 'cancelled', 'released', 'error', 'info', 'toString']
const MAX_PLACES = 200

/** How often each way was gone. */
export class Mutations {
  readonly drawn = { structure: 0, types: 0, order: 0, sender: 0, bytes: 0 }
  readonly #random: SeededRandom
  /** Frames of all workers, to be said again by another. */
  readonly #heard: unknown[] = []

  constructor(random: SeededRandom) {
    this.#random = random
  }

  /** What is sent in place of `frame`. */
  mutate(frame: unknown, foreign: number): unknown {
    const ways = ['structure', 'types', 'order', 'sender', 'bytes'] as const
    const way = this.#random.pick(ways)
    this.drawn[way]++
    const copy = structuredClone(frame)
    this.#remember(frame)
    if (way === 'bytes') return this.#bytes(copy)
    if (way === 'sender') return this.#sender(copy, foreign)
    const rounds = this.#random.int(1, 3)
    for (let round = 0; round < rounds; round++) {
      if (way === 'structure') this.#structure(copy)
      else if (way === 'types') this.#types(copy)
      else this.#order(copy)
    }
    return copy
  }

  #remember(frame: unknown): void {
    const at = this.#heard.length < 64 ? this.#heard.length : this.#random.int(0, 63)
    this.#heard[at] = frame
  }

  #odd(): unknown {
    const { int, pick } = { int: this.#random.int.bind(this.#random), pick: <T>(of: T[]) => of }
    const makers: readonly (() => unknown)[] = [
      () => null,
      () => undefined,
      () => int(-2, 2 ** 31),
      () => 2 ** int(50, 1_000),
      () => Number.NaN,
      () => -0,
      () => this.#random.pick(WORDS),
      () => 'x'.repeat(int(0, 5_000)),
      () => BigInt(int(0, 100)),
      () => pick([]),
      () => Array.from({ length: int(0, 5) }),
      () => Object.assign([], { length: 2 ** 31 }),
      () => ({ kind: this.#random.pick(KINDS) }),
      () => JSON.parse('{"__proto__":{"kind":"ended"},"constructor":1}') as unknown,
      () => new Map([['kind', 'ended']]),
      () => new Date(int(0, 1e12)),
      () => new Error('odd', { cause: { at: 1 } }),
      () => new Uint8Array(int(0, 50)),
    ]
    return this.#random.pick(makers)()
  }

  #place(of: unknown): Place | null {
    const places: Place[] = []
    const walk = (value: unknown): void => {
      if (typeof value !== 'object' || value === null || places.length > MAX_PLACES) return
      for (const key of Object.keys(value)) {
        places.push([value as Fields, key])
        walk((value as Fields)[key])
      }
    }
    walk(of)
    return places.length === 0 ? null : this.#random.pick(places)
  }

  #structure(frame: unknown): void {
    const place = this.#place(frame)
    if (place === null) return
    const [holder, key] = place
    const other = this.#place(frame)
    switch (this.#random.int(0, 4)) {
      case 0:
        Reflect.deleteProperty(holder, key)
        return
      case 1:
        set(holder, this.#random.pick(['kind', 'token', 'taskId', 'slot', 'error', 'extra']), 1)
        return
      case 2:
        if (other !== null) set(holder, key, structuredClone(other[0][other[1]]))
        return
      case 3:
        set(holder, key, { [key]: holder[key] })
        return
      default:
        set(holder, key, [holder[key], holder[key]])
    }
  }

  #types(frame: unknown): void {
    const place = this.#place(frame)
    if (place === null) return
    const [holder, key] = place
    const value = holder[key]
    const isNear = typeof value === 'number' && this.#random.chance(0.3)
    set(holder, key, isNear ? value + this.#random.pick([-1, 1, 0.5]) : this.#odd())
  }

  #order(frame: unknown): void {
    const { items } = frame as { items: unknown[] }
    if (!Array.isArray(items)) return
    const at = this.#random.int(0, items.length)
    const item = items[this.#random.int(0, Math.max(items.length - 1, 0))]
    switch (this.#random.int(0, 3)) {
      case 0:
        items.splice(at, 0, structuredClone(item))
        return
      case 1:
        items.splice(at, 1)
        return
      case 2:
        items.reverse()
        return
      default:
        items.splice(at, 0, ...(itemsOf(this.#random.pick(this.#heard)) ?? []))
    }
  }

  #sender(frame: unknown, foreign: number): unknown {
    if (this.#random.chance(0.3)) {
      // What another has said, under this one's stamp.
      const { incarnation } = frame as { incarnation: number }
      return { ...(structuredClone(this.#random.pick(this.#heard)) as object), incarnation }
    }
    const items = itemsOf(frame) ?? []
    const token = foreign
    const forged = [
      { kind: 'ended', token, runMs: 1, verdict: 'ok', value: 'forged' },
      { kind: 'started', token },
      { kind: 'progress', token, progress: 'forged' },
      { kind: 'log', level: 'info', message: 'forged', fields: {}, token },
    ]
    items.splice(this.#random.int(0, items.length), 0, this.#random.pick(forged))
    for (const item of items as Fields[]) {
      if ('token' in item && this.#random.chance(0.3)) item['token'] = foreign
    }
    return frame
  }

  /** What a reader makes of the bytes; undefined when that is nothing. */
  #bytes(frame: unknown): unknown {
    let bytes = encodeMessage(frame)
    const flips = this.#random.int(1, 8)
    for (let flip = 0; flip < flips; flip++) {
      const at = this.#random.int(0, bytes.length - 1)
      const way = this.#random.int(0, 3)
      if (way === 0) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)])
      else if (way === 1) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at >> 1)])
      else bytes[at] = way === 2 ? this.#random.int(0, 255) : (bytes[at] as number) ^ 1
      if (bytes.length === 0) return undefined
    }
    let message: unknown
    const reader = new MessageReader((one) => {
      message = one
    }, MAX_MESSAGE_BYTES)
    try {
      for (let at = 0; at < bytes.length; ) {
        const end = at + this.#random.int(1, bytes.length)
        reader.push(bytes.subarray(at, end))
        at = end
      }
    } catch {
      return undefined
    }
    return message
  }
}

function set(holder: Fields, key: string, value: unknown): void {
  Object.defineProperty(holder, key, {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  })
}

function itemsOf(frame: unknown): unknown[] | undefined {
  const { items } = (frame ?? {}) as { items?: unknown }
  return Array.isArray(items) ? items : undefined
}
