/**
 * The border: what arrives from a child is looked at, all of it, before anybody acts on any of it. A
 * frame that is not what it should be to its last field is an error to be told, and nothing in it is
 * believed. Whether it is its sender's to say is `conversation.ts`'s question.
 */
import { type Frame, MAX_DECLARED, type Report } from './protocol.ts'

/** More reports than this in one frame is garbage, not haste. */
const MAX_ITEMS = 1_000_000
/** Characters of a message, a name, a stack. */
const MAX_TEXT = 1024 * 1024
/** A token has this many bits. */
export const TOKEN_BITS = 48
/** An error carries four causes, and what was made of it on the way a few more. */
const MAX_CAUSES = 16

type Fields = Readonly<Record<string, unknown>>
type Check = (value: unknown) => boolean
/** Every field there may be, and what it must be. A value that may be missing may be undefined. */
type Shape = ReadonlyMap<string, Check>

const isRecord = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isText: Check = (value) => typeof value === 'string' && value.length <= MAX_TEXT
const isBoolean: Check = (value) => typeof value === 'boolean'
const isAmount: Check = (value) => typeof value === 'number' && Number.isFinite(value) && value >= 0
const isToken: Check = (value) =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < 2 ** TOKEN_BITS
/** 0 and 1 are no single process that a child could have started. */
const isPid: Check = (value) => Number.isSafeInteger(value) && (value as number) > 1
const isAnything: Check = () => true
const isOneOf = (...values: readonly unknown[]): Check => {
  const known = new Set(values)
  return (value) => known.has(value)
}
const isNullOr =
  (is: Check): Check =>
  (value) =>
    value === null || is(value)
const isMissingOr =
  (is: Check): Check =>
  (value) =>
    value === undefined || is(value)

const shapeOf = (fields: Readonly<Record<string, Check>>): Shape => new Map(Object.entries(fields))

/** Each of its fields is right, and it has no others. */
function isOf(shape: Shape, value: unknown): value is Fields {
  if (!isRecord(value)) return false
  for (const [name, is] of shape) if (!is(value[name])) return false
  for (const name in value) if (!shape.has(name)) return false
  return true
}

const isError = (value: unknown, depth = 0): boolean =>
  depth <= MAX_CAUSES &&
  isOf(ERROR, value) &&
  (value['cause'] === undefined || isError(value['cause'], depth + 1))

const ERROR = shapeOf({
  code: isText,
  message: isText,
  name: isMissingOr(isText),
  stack: isMissingOr(isText),
  retryable: isMissingOr(isBoolean),
  ownCode: isMissingOr(isText),
  cause: isAnything,
})
const TASK = shapeOf({ name: isText, browser: isBoolean, builtIn: isOneOf(undefined, true) })
const SESSION = shapeOf({ name: isText, baseProfile: isNullOr(isText) })

/** At least one, each of its shape, no name twice. */
const isListOf =
  (item: Shape): Check =>
  (value) => {
    if (!Array.isArray(value) || value.length === 0 || value.length > MAX_DECLARED) return false
    if (!value.every((one) => isOf(item, one))) return false
    return new Set(value.map((one) => (one as Fields)['name'])).size === value.length
  }

const reportOf = (fields: Readonly<Record<string, Check>>) =>
  shapeOf({ kind: isAnything, ...fields })

const SHAPES: ReadonlyMap<unknown, Shape> = new Map<Report['kind'], Shape>([
  ['loaded', reportOf({ tasks: isListOf(TASK), sessions: isListOf(SESSION) })],
  ['sessionLaunched', reportOf({})],
  ['sessionReady', reportOf({ browserPid: isNullOr(isPid) })],
  ['sessionFailed', reportOf({ error: (value) => isError(value), permanent: isBoolean })],
  ['browserLost', reportOf({ browserPid: isPid })],
  ['started', reportOf({ token: isToken })],
  [
    'ended',
    reportOf({
      token: isToken,
      runMs: isAmount,
      verdict: isOneOf('ok', 'retryable', 'permanent', 'cancelled', 'released'),
      value: isAnything,
      error: isMissingOr((value) => isError(value)),
    }),
  ],
  ['progress', reportOf({ token: isToken, progress: isAnything })],
  [
    'log',
    reportOf({
      level: isOneOf('error', 'warn', 'info', 'debug'),
      message: isText,
      fields: isRecord,
      token: isMissingOr(isToken),
    }),
  ],
  ['login', reportOf({})],
  ['retire', reportOf({ reason: isText })],
  ['heartbeat', reportOf({ rssBytes: isAmount })],
])

/** Either a value or an error, as its verdict says. */
function isCoherent({ kind, verdict, value, error }: Fields): boolean {
  if (kind !== 'ended') return true
  return verdict === 'ok' ? error === undefined : error !== undefined && value === undefined
}

/**
 * The frame, when it is one of that incarnation.
 *
 * @throws Error that says what is wrong with it.
 */
export function parseFrame(message: unknown, incarnation: number): Frame<Report> {
  if (!isRecord(message)) throw new Error('a message was no frame')
  if (message.incarnation !== incarnation) {
    throw new Error(`a frame was stamped ${shown(message.incarnation)}, not ${incarnation}`)
  }
  const { items } = message
  if (!Array.isArray(items)) throw new Error('a frame had no items')
  if (items.length > MAX_ITEMS) throw new Error(`a frame had ${items.length} items`)
  for (const item of items as unknown[]) {
    if (!isRecord(item)) throw new Error(`a report was no record: ${shown(item)}`)
    const { kind } = item
    const known = SHAPES.get(kind)
    if (known === undefined) throw new Error(`a report was of no known kind: ${shown(kind)}`)
    if (!isOf(known, item) || !isCoherent(item)) {
      throw new Error(`a report of the kind ${String(kind)} was malformed`)
    }
  }
  return message as unknown as Frame<Report>
}

const MAX_SHOWN = 64

/** Whatever a child has sent in place of a word or a number, fit for a line in a log. */
function shown(value: unknown): string {
  if (typeof value !== 'string' && typeof value !== 'number') return typeof value
  return JSON.stringify(value).slice(0, MAX_SHOWN)
}
