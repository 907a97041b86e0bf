/**
 * Makes the fields of a log line safe to write: secrets redacted by key, errors spelled out,
 * everything bounded. It never throws and never calls a value's own methods.
 */
type Fields = Readonly<Record<string, unknown>>

const REDACTED = '[redacted]'
const SECRET =
  /passw(or)?d|passphrase|secret|token|cookie|authorization|api[-_]?key|private[-_]?key|credential/i
const MAX_DEPTH = 6
const MAX_ENTRIES = 50
const MAX_TEXT = 4_096
const MAX_NODES = 500

interface Walk {
  nodes: number
  readonly above: Set<object>
}

/** Names of a line's own; a field of that name is moved aside, not lost. */
const RESERVED: ReadonlySet<string> = new Set(['time', 'level', 'message'])

/** The bindings and the fields of one line, as plain JSON values. */
export function logFields(bindings: Fields, fields: Fields | undefined): Record<string, unknown> {
  const safe: Record<string, unknown> = {}
  const walk: Walk = { nodes: 0, above: new Set() }
  for (const source of [bindings, fields]) {
    if (typeof source !== 'object' || source === null) continue
    const plain: object = source instanceof Error ? { error: source } : source
    for (const [key, value] of entriesOf(plain)) {
      safe[RESERVED.has(key) ? `${key}_` : key] = SECRET.test(key)
        ? REDACTED
        : safeValue(value, walk, 0)
    }
  }
  return safe
}

function safeValue(value: unknown, walk: Walk, depth: number): unknown {
  switch (typeof value) {
    case 'string':
      return value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}…` : value
    case 'boolean':
    case 'undefined':
      return value
    case 'number':
      return Number.isFinite(value) ? value : String(value)
    case 'bigint':
      return `${value}n`
    case 'function':
      return '[function]'
    case 'symbol':
      return value.toString()
    default:
      return value === null ? null : safeObject(value as object, walk, depth)
  }
}

function safeObject(value: object, walk: Walk, depth: number): unknown {
  if (walk.above.has(value)) return '[circular]'
  if (depth >= MAX_DEPTH || ++walk.nodes > MAX_NODES) return '[…]'
  walk.above.add(value)
  try {
    if (value instanceof Error) return safeError(value, walk, depth)
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
    if (value instanceof URL) return value.href
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
    if (value instanceof Map) return safeObject(Object.fromEntries(value), walk, depth)
    if (value instanceof Set) return safeObject([...value], walk, depth)
    if (Array.isArray(value)) return safeArray(value, walk, depth)
    return safeRecord(value, walk, depth)
  } catch {
    return '[unreadable]'
  } finally {
    walk.above.delete(value)
  }
}

function safeError(error: Error, walk: Walk, depth: number): Record<string, unknown> {
  const { name, message, stack, cause, ...rest } = error as Error & Record<string, unknown>
  return {
    ...safeRecord(rest, walk, depth),
    name: safeValue(error.name ?? name, walk, depth),
    message: safeValue(message, walk, depth),
    ...(stack === undefined ? {} : { stack: safeValue(stack, walk, depth) }),
    ...(cause === undefined ? {} : { cause: safeValue(cause, walk, depth + 1) }),
  }
}

function safeArray(values: readonly unknown[], walk: Walk, depth: number): unknown[] {
  const safe = values.slice(0, MAX_ENTRIES).map((value) => safeValue(value, walk, depth + 1))
  if (values.length > MAX_ENTRIES) safe.push(`… ${values.length - MAX_ENTRIES} more`)
  return safe
}

function safeRecord(value: object, walk: Walk, depth: number): Record<string, unknown> {
  const safe: Record<string, unknown> = {}
  for (const [key, item] of entriesOf(value)) {
    safe[key] = SECRET.test(key) ? REDACTED : safeValue(item, walk, depth + 1)
  }
  return safe
}

function entriesOf(value: object): [string, unknown][] {
  try {
    return Object.entries(value).slice(0, MAX_ENTRIES)
  } catch {
    return [['unreadable', true]]
  }
}
