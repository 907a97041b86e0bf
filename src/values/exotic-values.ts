/**
 * Copies built-ins by their kind, from what they hold inside and never by a method or property that
 * the object itself may have replaced. It judges nothing and follows nothing that is in them.
 */
import { inspect } from 'node:util'

type View = ArrayBufferView
type Getter = (this: unknown) => unknown

function getterOf(prototype: object, name: PropertyKey): Getter {
  return Object.getOwnPropertyDescriptor(prototype, name)?.get as Getter
}

const TYPED_ARRAY = Object.getPrototypeOf(Uint8Array.prototype) as object
const bytesOfTyped = getterOf(TYPED_ARRAY, 'byteLength')
const kindOfTyped = getterOf(TYPED_ARRAY, Symbol.toStringTag)
const bytesOfData = getterOf(DataView.prototype, 'byteLength')
const offsetOfData = getterOf(DataView.prototype, 'byteOffset')
const bufferOfData = getterOf(DataView.prototype, 'buffer')
const bytesOfBuffer = getterOf(ArrayBuffer.prototype, 'byteLength')
const sourceOf = getterOf(RegExp.prototype, 'source')
const setBytes = Uint8Array.prototype.set

/** A short array's names cost less to list than to look for in another way. */
const SHORT_ARRAY = 32
/** What is said of an array when none of its places is shown. */
const LOOK = { maxArrayLength: 0, depth: 0, customInspect: false, breakLength: Infinity } as const

/** True when it has no enumerable property beside what is in it. */
export function isClean(value: object): boolean {
  if (!Array.isArray(value)) return Object.keys(value).length === 0
  const { length } = value
  if (length <= SHORT_ARRAY) {
    const keys = Object.keys(value)
    return keys.length === 0 || isIndex(keys.at(-1) as string)
  }
  return inspect(value, LOOK).endsWith(' more items ]')
}

/** Named properties come after all indices. */
function isIndex(key: string): boolean {
  return /^(0|[1-9]\d*)$/.test(key)
}

/** The bytes that it shows, in memory of their own. `size` is told before anything is copied. */
export function viewOf(view: View, size: (bytes: number) => void, isCopying: boolean): View {
  const kind = kindOfTyped.call(view) as string | undefined
  if (kind === undefined) return dataViewOf(view as DataView, size, isCopying)
  const bytes = bytesOfTyped.call(view) as number
  size(bytes)
  if (!isCopying) return view
  if (Buffer.isBuffer(view)) {
    const copy = Buffer.allocUnsafeSlow(bytes)
    setBytes.call(copy, view as Buffer)
    return copy
  }
  const Kind = Reflect.get(globalThis, kind) as new (source: ArrayBufferView) => View
  return new Kind(view)
}

function dataViewOf(view: DataView, size: (bytes: number) => void, isCopying: boolean): View {
  const bytes = bytesOfData.call(view) as number
  size(bytes)
  if (!isCopying) return view
  const from = new Uint8Array(
    bufferOfData.call(view) as ArrayBuffer,
    offsetOfData.call(view) as number,
    bytes,
  )
  const copy = new Uint8Array(bytes)
  setBytes.call(copy, from)
  return new DataView(copy.buffer)
}

export function arrayBufferOf(
  buffer: ArrayBuffer,
  size: (bytes: number) => void,
  isCopying: boolean,
): ArrayBuffer {
  const bytes = bytesOfBuffer.call(buffer) as number
  size(bytes)
  if (!isCopying) return buffer
  const copy = new Uint8Array(bytes)
  setBytes.call(copy, new Uint8Array(buffer))
  return copy.buffer
}

export function dateOf(date: Date): Date {
  return new Date(Date.prototype.getTime.call(date))
}

const FLAGS = [
  ['d', 'hasIndices'],
  ['g', 'global'],
  ['i', 'ignoreCase'],
  ['m', 'multiline'],
  ['s', 'dotAll'],
  ['u', 'unicode'],
  ['v', 'unicodeSets'],
  ['y', 'sticky'],
].map(([flag, name]) => [flag, getterOf(RegExp.prototype, name as string)] as const)

export function regExpOf(expression: RegExp): RegExp {
  const flags = FLAGS.flatMap(([flag, isOn]) => (isOn?.call(expression) === true ? [flag] : []))
  return new RegExp(sourceOf.call(expression) as string, flags.join(''))
}

export function entriesOf(map: Map<unknown, unknown>): [unknown, unknown][] {
  const entries: [unknown, unknown][] = []
  Map.prototype.forEach.call(map, (value, key) => void entries.push([key, value]))
  return entries
}

export function membersOf(set: Set<unknown>): unknown[] {
  const members: unknown[] = []
  Set.prototype.forEach.call(set, (value) => void members.push(value))
  return members
}

/** An error of the same kind, without its cause. */
export function errorLike(error: Error, message: unknown, stack: unknown): Error {
  const { constructor } = Object.getPrototypeOf(error) as { readonly constructor: unknown }
  const own = Reflect.get(globalThis, (constructor as { readonly name: string }).name)
  const Kind = own as ErrorConstructor
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  const copy = new Kind(String(message))
  Error.stackTraceLimit = stackTraceLimit
  Object.defineProperty(copy, 'stack', { value: stack, writable: true, configurable: true })
  return copy
}

/** Its cause, if it has one of its own. */
export function keptCause(error: Error): { readonly value: unknown } | null {
  return Object.hasOwn(error, 'cause') ? { value: error.cause } : null
}
