/**
 * Which kinds of objects structured clone carries between processes, and what to send instead of
 * those it does not. It judges one object by its kind, never by its contents.
 */
import { types } from 'node:util'

/** Stands for a class this Node does not have. */
const KEPT_NOWHERE = {}

/** The prototypes that survive: a subclass of them would arrive as its parent. */
const KEPT: ReadonlySet<object> = new Set(
  [
    'Date RegExp Map Set ArrayBuffer DataView Buffer Boolean Number String BigInt',
    'Error EvalError RangeError ReferenceError SyntaxError TypeError URIError',
    'Int8Array Uint8Array Uint8ClampedArray Int16Array Uint16Array Int32Array Uint32Array',
    'Float32Array Float64Array BigInt64Array BigUint64Array',
  ]
    .flatMap((names) => names.split(' '))
    .map((name) => prototypeNamed(name)),
)

function prototypeNamed(name: string): object {
  const maker: unknown = Reflect.get(globalThis, name)
  return typeof maker === 'function' ? (maker.prototype as object) : KEPT_NOWHERE
}

/** What to send instead, by class name. */
const INSTEAD: Readonly<Record<string, string>> = {
  URL: 'send its .href',
  URLSearchParams: 'send its .toString()',
  URLPattern: 'send its parts as strings',
  Headers: 'send Object.fromEntries(headers)',
  FormData: 'send Object.fromEntries(form)',
  Blob: 'send await blob.arrayBuffer()',
  File: 'send await file.arrayBuffer() and its name',
  Response: 'send its body and status',
  Request: 'send its url and options',
  Promise: 'await it first',
  WeakMap: 'send a Map',
  WeakSet: 'send a Set',
  WeakRef: 'send what .deref() gives',
  SharedArrayBuffer: 'memory cannot be shared between processes: send a copy as a Uint8Array',
  Float16Array: 'send a Float32Array',
  AbortSignal: "pass it in the task's options, not in the payload",
  AbortController: "pass its signal in the task's options, not in the payload",
  Page: 'a page lives in its worker: send its URL',
  ElementHandle: 'an element lives in its page: send a selector',
  Browser: 'a browser lives in its worker: send what to do there',
  AggregateError: 'send its errors as an array',
  HTTPResponse: 'send its url() and status()',
  CdpHTTPResponse: 'send its url() and status()',
  ReadableStream: 'read it first, or write it to a file',
  Module: 'code cannot be sent: send what it computes',
}
const NO_ERROR = 'its class would be lost: send a plain object with its name and message'
const PLAIN_DATA = 'its methods and its class would be lost: send plain data'
const MAX_NAME_SHOWN = 60

/**
 * Why an object that is neither a plain object nor an array of this realm cannot be sent, or null
 * if it can. The text follows the object's name in a sentence: `is a URL; send its .href`.
 */
export function refusalOf(value: object, prototype: object): string | null {
  if (types.isArrayBuffer(value) && value.detached) {
    return 'is an ArrayBuffer that was transferred away; send it before transferring it'
  }
  if (types.isBoxedPrimitive(value) && types.isSymbolObject(value)) {
    return 'is a symbol; send a string instead'
  }
  if (KEPT.has(prototype) && isWhatItsPrototypeSays(value)) return null
  if (isOtherRealmsOwn(prototype)) return null
  const name = classNameOf(value, prototype)
  const rest = types.isNativeError(value) ? NO_ERROR : PLAIN_DATA
  return `is ${article(name)} ${name}; ${Object.hasOwn(INSTEAD, name) ? INSTEAD[name] : rest}`
}

/** Object.create(Date.prototype) is no Date. */
function isWhatItsPrototypeSays(value: object): boolean {
  return (
    types.isDate(value) ||
    types.isRegExp(value) ||
    types.isMap(value) ||
    types.isSet(value) ||
    types.isNativeError(value) ||
    types.isArrayBuffer(value) ||
    ArrayBuffer.isView(value) ||
    types.isBoxedPrimitive(value)
  )
}

/**
 * Plain objects, arrays and built-ins made in another realm (node:vm, a test runner) arrive as
 * ours.
 */
function isOtherRealmsOwn(prototype: object): boolean {
  if (!Object.hasOwn(prototype, 'constructor')) return false
  const maker: unknown = (prototype as { constructor: unknown }).constructor
  if (typeof maker !== 'function' || maker.prototype !== prototype) return false
  const isNative = Function.prototype.toString.call(maker).endsWith('{ [native code] }')
  return isNative && OTHER_REALM_NAMES.has(maker.name) && !isOfThisRealm(maker)
}

const OTHER_REALM_NAMES: ReadonlySet<string> = new Set(
  'Object Array Date RegExp Map Set ArrayBuffer Uint8Array Error TypeError RangeError'.split(' '),
)

function isOfThisRealm(maker: { readonly name: string }): boolean {
  return Reflect.get(globalThis, maker.name) === maker
}

function classNameOf(value: object, prototype: object): string {
  if (types.isPromise(value)) return 'Promise'
  if (types.isSharedArrayBuffer(value)) return 'SharedArrayBuffer'
  if (!Object.hasOwn(prototype, 'constructor')) return 'object with a prototype of its own'
  try {
    const maker: unknown = (prototype as { constructor: unknown }).constructor
    if (typeof maker === 'function' && typeof maker.name === 'string' && maker.name !== '') {
      return maker.name.slice(0, MAX_NAME_SHOWN)
    }
  } catch {
    // A constructor behind a throwing getter has no name to show.
  }
  return 'object of an unnamed class'
}

function article(name: string): string {
  return /^[aeio]/i.test(name) ? 'an' : 'a'
}
