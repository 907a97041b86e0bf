/**
 * Refuses by name what a worker could not receive as it was sent. Structured clone throws on some
 * values and quietly changes others; a payload that passes here arrives equal. It never copies and
 * never changes a payload.
 */
import { types } from 'node:util'
import { TroupeError } from '../errors.ts'
import { refusalOf, SHELL_BYTES } from './payload-kinds.ts'
import { MAX_PAYLOAD_BYTES } from '../worker/protocol.ts'

/** Deeper than this, the clone itself would run out of stack. */
export const MAX_PAYLOAD_DEPTH = 500
/**
 * A string longer than this is looked through, to learn whether its characters take one byte or
 * two.
 */
const LONG_STRING = 1_024
const MAX_KEY_SHOWN = 60
const MAX_PATH_SHOWN = 12
const MEBIBYTE = 1024 * 1024
const WIDE_CHARACTER = /[\u0100-\uffff]/
const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u

/** A step from a value to one inside it: a property, an index, or text such as `.get("a")`. */
type Step = string | number | { readonly text: string }

interface Walk {
  readonly label: string
  readonly root: object
  bytes: number
  /** Objects met. Null until one lies below the root: flat payloads pay nothing for it. */
  seen: Set<object> | null
  readonly path: Step[]
}

const NO_ROOT = Object.freeze({})

/**
 * Checks that structured clone carries `value` faithfully and that it is not larger than
 * MAX_PAYLOAD_BYTES (estimated). Cycles and shared references are kept by the clone and allowed. An
 * object without a prototype arrives with one.
 *
 * @throws PAYLOAD_INVALID naming the place, as `payload.orders[3].callback is a function; …`.
 * @example
 * checkPayload({ po: 'PO-001', since: new Date() })
 */
export function checkPayload(value: unknown, label = 'payload'): void {
  const type = typeof value
  if (type === 'object') {
    if (value !== null) checkObject(value as object, newWalk(label, value as object))
  } else if (type === 'string' || type === 'function' || type === 'symbol') {
    checkLeaf(value, newWalk(label, NO_ROOT))
  }
}

function newWalk(label: string, root: object): Walk {
  return { label, root, bytes: 0, seen: null, path: [] }
}

function checkObject(value: object, walk: Walk): void {
  if (types.isProxy(value)) refuse(walk, 'is a Proxy; send a plain copy of it')
  const prototype = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) checkRecord(value, walk)
  else if (prototype === Array.prototype) checkArray(value as unknown[], walk)
  else {
    const refusal = refusalOf(value, prototype)
    if (refusal !== null) refuse(walk, refusal)
    checkBuiltIn(value, walk)
  }
}

/**
 * What is left once `refusalOf` has let it pass: built-ins, and plain objects and arrays of another
 * realm.
 */
function checkBuiltIn(value: object, walk: Walk): void {
  if (Array.isArray(value)) checkArray(value, walk)
  else if (types.isMap(value)) checkMap(value, walk)
  else if (types.isSet(value)) checkSet(value, walk)
  else if (types.isNativeError(value)) checkError(value, walk)
  else if (types.isAnyArrayBuffer(value) || ArrayBuffer.isView(value)) {
    addBytes(walk, value.byteLength)
  } else if (types.isRegExp(value)) addBytes(walk, value.source.length)
  else if (types.isStringObject(value)) addBytes(walk, String(value).length)
  else if (types.isDate(value) || types.isBoxedPrimitive(value)) addBytes(walk, SHELL_BYTES)
  else checkRecord(value, walk)
}

function checkRecord(record: object, walk: Walk): void {
  const keys = Object.keys(record)
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index] as string
    addBytes(walk, key.length + 2)
    checkInside(read(record, key, walk), key, walk)
  }
  if (Object.getOwnPropertySymbols(record).length > 0) {
    refuse(walk, 'has a key that is a symbol; only strings are kept as keys')
  }
}

function checkArray(values: readonly unknown[], walk: Walk): void {
  // Each place costs a byte even when it is empty: checked first, for an array of a billion holes.
  addBytes(walk, values.length)
  for (let index = 0; index < values.length; index++) {
    checkInside(read(values, index, walk), index, walk)
  }
}

function checkMap(map: Map<unknown, unknown>, walk: Walk): void {
  let index = 0
  for (const [key, value] of Map.prototype.entries.call(map)) {
    checkInside(key, { text: ` key ${index}` }, walk)
    const shown =
      typeof key === 'object' || typeof key === 'string' ? keyText(key, index) : String(key)
    checkInside(value, { text: `.get(${shown})` }, walk)
    index++
  }
}

function checkSet(set: Set<unknown>, walk: Walk): void {
  let index = 0
  for (const value of Set.prototype.values.call(set)) {
    checkInside(value, { text: ` entry ${index++}` }, walk)
  }
}

function checkError(error: Error, walk: Walk): void {
  const lost = Object.keys(error)[0]
  if (lost !== undefined) {
    const kept = 'only name, message, stack and cause are kept; send a plain object'
    refuse(walk, `is an Error with a property '${clip(lost)}' that would be lost: ${kept}`)
  }
  checkInside(error.message, 'message', walk)
  checkInside(error.stack, 'stack', walk)
  if (error.cause !== undefined) checkInside(error.cause, 'cause', walk)
}

/** One value inside another. Everything but an object is settled without a step. */
function checkInside(value: unknown, step: Step, walk: Walk): void {
  switch (typeof value) {
    case 'object':
      if (value === null || value === walk.root) addBytes(walk, 1)
      else checkNested(value, step, walk)
      break
    case 'number':
      addBytes(walk, Number.isInteger(value) ? 4 : 9)
      break
    case 'boolean':
    case 'undefined':
      addBytes(walk, 1)
      break
    default:
      walk.path.push(step)
      checkLeaf(value, walk)
      walk.path.pop()
  }
}

function checkNested(value: object, step: Step, walk: Walk): void {
  addBytes(walk, SHELL_BYTES)
  walk.seen ??= new Set([walk.root])
  if (walk.seen.has(value)) return
  walk.seen.add(value)
  walk.path.push(step)
  if (walk.path.length > MAX_PAYLOAD_DEPTH) {
    refuse(walk, `is nested deeper than ${MAX_PAYLOAD_DEPTH} levels; send it flatter`)
  }
  checkObject(value, walk)
  walk.path.pop()
}

function checkLeaf(value: unknown, walk: Walk): void {
  if (typeof value === 'string') addBytes(walk, stringBytes(value))
  else if (typeof value === 'function') {
    refuse(walk, 'is a function; functions cannot be sent to a worker')
  } else if (typeof value === 'symbol') {
    refuse(walk, 'is a symbol; send a string instead')
  } else if (typeof value === 'bigint') addBytes(walk, bigintBytes(value))
}

function stringBytes(text: string): number {
  const wide = text.length > LONG_STRING && WIDE_CHARACTER.test(text)
  return 4 + (wide ? 2 * text.length : text.length)
}

/** Most are small; a giant is measured by its hexadecimal digits. */
function bigintBytes(value: bigint): number {
  return BigInt.asIntN(64, value) === value ? 10 : value.toString(16).length / 2
}

function read(holder: object, key: string | number, walk: Walk): unknown {
  try {
    return (holder as Record<string | number, unknown>)[key]
  } catch (cause) {
    walk.path.push(key)
    return refuse(walk, 'cannot be read: its getter throws', cause)
  }
}

function addBytes(walk: Walk, bytes: number): void {
  walk.bytes += bytes
  if (walk.bytes <= MAX_PAYLOAD_BYTES) return
  const limit = `${Math.floor(MAX_PAYLOAD_BYTES / MEBIBYTE)} MiB`
  const where = walk.path.length === 0 ? '' : `; the limit was reached at ${pathText(walk)}`
  throw new TroupeError(
    'PAYLOAD_INVALID',
    `${walk.label} is larger than ${limit}${where}; write it to a file and send the path`,
  )
}

function refuse(walk: Walk, what: string, cause?: unknown): never {
  const options = cause === undefined ? {} : { cause }
  throw new TroupeError('PAYLOAD_INVALID', `${pathText(walk)} ${what}`, options)
}

function pathText(walk: Walk): string {
  const steps = walk.path.map(stepText)
  if (steps.length <= MAX_PATH_SHOWN) return walk.label + steps.join('')
  const half = MAX_PATH_SHOWN / 2
  return `${walk.label}${steps.slice(0, half).join('')} … ${steps.slice(-half).join('')}`
}

function stepText(step: Step): string {
  if (typeof step === 'number') return `[${step}]`
  if (typeof step === 'object') return step.text
  return IDENTIFIER.test(step) ? `.${clip(step)}` : `[${JSON.stringify(clip(step))}]`
}

function keyText(key: string | object | null, index: number): string {
  if (key === null) return 'null'
  return typeof key === 'string' ? JSON.stringify(clip(key)) : `key ${index}`
}

function clip(text: string): string {
  return text.length > MAX_KEY_SHOWN ? `${text.slice(0, MAX_KEY_SHOWN)}…` : text
}
