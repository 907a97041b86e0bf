/**
 * The one walk over values that cross the border: payloads, results, progress, fields of log lines.
 * What it looks at is what it copies, and it reads every property once, so a value that changes
 * afterwards, or answers otherwise the second time, is not sent as something else. Records and arrays
 * are rebuilt, strings are shared, cycles and shared references are kept. What structured clone would
 * refuse, or change without a word, is refused by name. It never serializes what is far from the limit.
 */
import { types } from 'node:util'
import { MAX_PAYLOAD_BYTES } from '../common/limits.ts'
import { errorOf, mapOf, setOf } from './container-values.ts'
import { arrayBufferOf, dateOf, isClean, regExpOf, viewOf } from './exotic-values.ts'
import { refusalOf } from './payload-kinds.ts'
import { type Step, ValueRefused } from './value-path.ts'
import {
  add,
  counted,
  exactBytes,
  leaf,
  MAX_EXCESS,
  note,
  NUMBER_BYTES,
  refuse,
  SHELL_BYTES,
  SHORT_STRING,
  sized,
  stringBytes,
  tooLarge,
  type Walk,
} from './value-walk.ts'

export { ValueRefused } from './value-path.ts'

/** Deeper than this, the clone itself would run out of stack. */
export const MAX_PAYLOAD_DEPTH = 500
/** Longer than this, an array grows as it is read, for it may be all holes. */
const LONG_ARRAY = 65_536

interface Snapshot {
  readonly value: unknown
  /** At most what the serializer will write; exact near the limit. */
  readonly bytes: number
}

/**
 * A copy of `value` as it is now, which structured clone carries faithfully. An object without a
 * prototype, or of another realm, becomes one of this realm.
 *
 * @throws ValueRefused naming the place, as `payload.orders[3].callback is a function; …`.
 */
export function snapshot(value: unknown, label: string, limit = MAX_PAYLOAD_BYTES): Snapshot {
  return take(value, label, limit, true)
}

/** What is inside already, for somebody outside: nothing that is done with it changes ours. */
export function copyOf<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  try {
    return take(value, 'value', Number.POSITIVE_INFINITY, true).value as T
  } catch {
    // It came out of a deserializer that knows more than we do.
    return structuredClone(value)
  }
}

/** The bytes of `value` when it is serialized, at most; more than `ceiling` when it is larger. */
export function weigh(value: unknown, ceiling: number): number {
  if (typeof value === 'string') return stringBytes(value)
  if (typeof value !== 'object' || value === null) return NUMBER_BYTES
  try {
    return take(value, 'value', ceiling, false).bytes
  } catch {
    return ceiling + 1
  }
}

function take(value: unknown, label: string, limit: number, isCopying: boolean): Snapshot {
  const root = typeof value === 'object' ? value : null
  const walk: Walk = {
    label,
    limit,
    isCopying,
    root,
    rootCopy: undefined,
    bytes: 0,
    least: 0,
    seen: null,
    path: [],
  }
  let copy: unknown
  try {
    copy = root === null ? leaf(value, walk) : objectOf(root, walk)
  } catch (error) {
    if (error instanceof ValueRefused) throw error
    return refuse(walk, 'cannot be read', error)
  }
  if (walk.bytes <= limit) return { value: copy, bytes: walk.bytes }
  const bytes = exactBytes(copy)
  return bytes <= limit ? { value: copy, bytes } : tooLarge(walk)
}

function objectOf(value: object, walk: Walk): unknown {
  if (types.isProxy(value)) refuse(walk, 'is a Proxy; send a plain copy of it')
  const prototype = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return recordOf(value, walk)
  if (prototype === Array.prototype) return arrayOf(value as unknown[], walk)
  const refusal = refusalOf(value, prototype)
  if (refusal !== null) refuse(walk, refusal)
  return builtInOf(value, walk)
}

/**
 * What is left once `refusalOf` has let it pass: built-ins, and plain objects and arrays of another
 * realm.
 */
function builtInOf(value: object, walk: Walk): unknown {
  if (Array.isArray(value)) return arrayOf(value, walk)
  if (types.isNativeError(value)) return errorOf(value, walk, inside)
  if (ArrayBuffer.isView(value))
    return note(value, viewOf(value, sized(walk), walk.isCopying), walk)
  if (types.isStringObject(value)) {
    const text = String.prototype.valueOf.call(value)
    add(stringBytes(text), walk)
    return note(value, Object(text), walk)
  }
  const isBuiltIn = BUILT_INS.some((isOne) => isOne(value))
  if (isBuiltIn && !isClean(value)) {
    refuse(walk, `has a property '${Object.keys(value)[0]}' of its own that would be lost`)
  }
  if (types.isMap(value)) return mapOf(value, walk, inside)
  if (types.isSet(value)) return setOf(value, walk, inside)
  if (types.isAnyArrayBuffer(value)) {
    return note(value, arrayBufferOf(value as ArrayBuffer, sized(walk), walk.isCopying), walk)
  }
  if (types.isRegExp(value)) {
    const copy = regExpOf(value)
    add(stringBytes(copy.source) + SHELL_BYTES, walk)
    return note(value, copy, walk)
  }
  add(SHELL_BYTES, walk)
  if (types.isDate(value)) return note(value, dateOf(value), walk)
  if (types.isBoxedPrimitive(value)) {
    const inner: unknown = unboxed(value)
    leaf(inner, walk)
    return note(value, Object(inner), walk)
  }
  return recordOf(value, walk)
}

const BUILT_INS: readonly ((value: object) => boolean)[] = [
  types.isMap,
  types.isSet,
  types.isAnyArrayBuffer,
  types.isRegExp,
  types.isDate,
  types.isBoxedPrimitive,
]

function unboxed(value: object): unknown {
  if (types.isNumberObject(value)) return Number.prototype.valueOf.call(value)
  if (types.isBooleanObject(value)) return Boolean.prototype.valueOf.call(value)
  return BigInt.prototype.valueOf.call(value)
}

function recordOf(record: object, walk: Walk): unknown {
  // A copy with the shape of the original reads each getter once, and is walked in its place.
  const copy = note(record, walk.isCopying ? spread(record, walk) : record, walk) as Holder
  const keys = Object.keys(copy)
  let bytes = SHELL_BYTES
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index] as string
    bytes += stringBytes(key)
    const value = copy[key]
    switch (typeof value) {
      case 'number':
        bytes += NUMBER_BYTES
        break
      case 'boolean':
      case 'undefined':
        bytes += 1
        break
      default: {
        if (typeof value === 'string' && value.length <= SHORT_STRING) bytes += stringBytes(value)
        else {
          const inner = inside(value, key, walk)
          if (inner !== value) copy[key] = inner
        }
      }
    }
  }
  add(bytes, walk)
  if (Object.getOwnPropertySymbols(record).length > 0) {
    refuse(walk, 'has a key that is a symbol; only strings are kept as keys')
  }
  return copy
}

type Holder = Record<string, unknown>
/** As a place in an array is written. */
const INDEX = /^(0|[1-9]\d*)$/
/** An array with more holes is not gone through place by place: a worker may send one of billions. */
const MAX_HOLES = 10_000

function spread(record: object, walk: Walk): object {
  try {
    return { ...record }
  } catch (cause) {
    walk.path.push(throwingKey(record))
    return refuse(walk, 'cannot be read: its getter throws', cause)
  }
}

/** Only for the words of a refusal: which of the getters it was. */
function throwingKey(record: object): Step {
  for (const [key, { get }] of Object.entries(Object.getOwnPropertyDescriptors(record))) {
    try {
      get?.call(record)
    } catch {
      return key
    }
  }
  return { text: '' }
}

function arrayOf(values: readonly unknown[], walk: Walk): unknown {
  const { length } = values
  // Each place counts even when it is empty: checked first, for an array of a billion holes.
  add(SHELL_BYTES, walk)
  if (walk.bytes + length > MAX_EXCESS * walk.limit || walk.least + length > walk.limit) {
    tooLarge(walk)
  }
  const isLong = length > LONG_ARRAY
  // A literal that grows takes up to five times the room of what is in it.
  // oxlint-disable-next-line unicorn/no-new-array
  const rebuilt: unknown[] = isLong ? [] : new Array<unknown>(length)
  const copy = note(values, rebuilt, walk) as unknown[]
  let holes = 0
  let end = length
  for (let index = 0; index < end; index++) {
    const value = values[index]
    if (value === undefined && !Object.hasOwn(values, index)) {
      walk.bytes += 1
      if (++holes === MAX_HOLES) end = index + 1
      continue
    }
    const inner = inside(value, index, walk)
    if (walk.isCopying) copy[index] = inner
  }
  if (walk.isCopying && isLong) copy.length = length
  walk.bytes += length - end
  if (end < length || !isClean(values)) othersOf(values, end, copy, walk)
  return copy
}

/** An array's names, as the `index` and `groups` of a match, and its places from `from` on. */
function othersOf(values: readonly unknown[], from: number, copy: unknown[], walk: Walk): void {
  const named = values as unknown as Holder
  for (const key of Object.keys(values)) {
    const place = INDEX.test(key) ? Number(key) : null
    if (place !== null && place < from) continue
    if (place === null) add(stringBytes(key), walk)
    const inner = inside(named[key], place ?? key, walk)
    if (walk.isCopying) (copy as unknown as Holder)[key] = inner
  }
}

/** One value inside another. Everything but an object is settled without a step. */
function inside(value: unknown, step: Step, walk: Walk): unknown {
  switch (typeof value) {
    case 'object':
      if (value === null) return counted(value, 1, walk)
      if (value === walk.root) return counted(walk.rootCopy, SHELL_BYTES, walk)
      return nested(value, step, walk)
    case 'number':
      return counted(value, NUMBER_BYTES, walk)
    case 'boolean':
    case 'undefined':
      return counted(value, 1, walk)
    default: {
      walk.path.push(step)
      leaf(value, walk)
      walk.path.pop()
      return value
    }
  }
}

function nested(value: object, step: Step, walk: Walk): unknown {
  add(SHELL_BYTES, walk)
  const known = walk.seen?.get(value)
  if (known !== undefined) return known
  walk.path.push(step)
  if (walk.path.length > MAX_PAYLOAD_DEPTH) {
    refuse(walk, `is nested deeper than ${MAX_PAYLOAD_DEPTH} levels; send it flatter`)
  }
  const copy = objectOf(value, walk)
  walk.path.pop()
  return copy
}
