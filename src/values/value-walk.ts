/**
 * What a walk over a value knows: how much it has counted, where it is, what it has met. It counts
 * no less than the serializer writes, and refuses what is too large for certain.
 */
import { serialize } from 'node:v8'
import { limitText, pathText, type Step, ValueRefused } from './value-path.ts'

/**
 * Of each kind of value the count is at most so many times what the serializer writes: a value whose
 * count passes this many limits is too large for certain.
 */
export const MAX_EXCESS = 4
/** What an object takes beside its contents, at most. */
export const SHELL_BYTES = 12
/** A string up to this length needs one byte for its length. */
export const SHORT_STRING = 127
/** Integers of 31 bits take at most 6 bytes, the other numbers 9. */
export const NUMBER_BYTES = 9
const BIGINT_BYTES = 12

export interface Walk {
  readonly label: string
  readonly limit: number
  /** False: nothing is copied, only counted and checked. */
  readonly isCopying: boolean
  readonly root: object | null
  rootCopy: unknown
  /** At most what the serializer will write. */
  bytes: number
  /** Of this, what is certain: buffers and long strings. */
  least: number
  /** Objects met below the root, and their copies. Flat values pay nothing for it. */
  seen: Map<object, unknown> | null
  readonly path: Step[]
}

/** Remembers the copy of an object before what is in it is walked: it may lead back to itself. */
export function note<T>(value: object, copy: T, walk: Walk): T | object {
  const kept = walk.isCopying ? copy : value
  if (value === walk.root) walk.rootCopy = kept
  else (walk.seen ??= new Map<object, unknown>()).set(value, kept)
  return kept as T | object
}

export function leaf(value: unknown, walk: Walk): unknown {
  if (typeof value === 'string') {
    if (value.length > SHORT_STRING) walk.least += value.length
    add(stringBytes(value), walk)
  } else if (typeof value === 'function') {
    refuse(walk, 'is a function; functions cannot be sent between processes')
  } else if (typeof value === 'symbol') {
    refuse(walk, 'is a symbol; send a string instead')
  } else if (typeof value === 'bigint') addBigInt(value, walk)
  else add(NUMBER_BYTES, walk)
  return value
}

/** A character takes one byte or two, and nobody knows which without looking at all of them. */
export function stringBytes({ length }: string): number {
  return (length <= SHORT_STRING ? 3 : 8) + 2 * length
}

/** Most are small; what a giant takes, the serializer knows best. */
function addBigInt(value: bigint, walk: Walk): void {
  if (BigInt.asIntN(64, value) === value) return add(BIGINT_BYTES, walk)
  sized(walk)(serialize(value).byteLength)
}

/** Counts what takes exactly so many bytes, before it is copied. */
export function sized(walk: Walk): (bytes: number) => void {
  return (bytes) => {
    walk.least += bytes
    add(bytes + SHELL_BYTES, walk)
  }
}

export function counted<T>(value: T, bytes: number, walk: Walk): T {
  walk.bytes += bytes
  return value
}

export function add(bytes: number, walk: Walk): void {
  walk.bytes += bytes
  if (walk.bytes <= walk.limit) return
  if (walk.least > walk.limit || walk.bytes > MAX_EXCESS * walk.limit) tooLarge(walk)
}

export function tooLarge(walk: Walk): never {
  const where = walk.path.length === 0 ? '' : `; the limit was reached at ${pathText(walk)}`
  const what = `${walk.label} is larger than ${limitText(walk.limit)}${where}`
  throw new ValueRefused(`${what}; write it to a file and send the path`)
}

export function refuse(walk: Walk, what: string, cause?: unknown): never {
  const options = cause === undefined ? {} : { cause }
  throw new ValueRefused(`${pathText(walk)} ${what}`, options)
}

/** Near the limit only the serializer itself knows. */
export function exactBytes(value: unknown): number {
  try {
    return serialize(value).byteLength
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
