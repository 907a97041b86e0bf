/**
 * A handler's line for the pool's log. The message always arrives. A field that cannot be sent is
 * spelled out in its place, and fields that are too large together are left out. It never throws.
 */
import { logFields } from '../common/log-fields.ts'
import { snapshot } from '../values/snapshot.ts'
import type { Outbox } from './outbox.ts'

/** A log message is cut here; fields above it are left out. */
export const MAX_LOG_BYTES = 16 * 1024
type Fields = Readonly<Record<string, unknown>>

/** A log line of bounded size, stamped with `stamp`; `token`: of the attempt that says it. */
export function logLine(
  outbox: Outbox,
  message: unknown,
  fields: unknown,
  stamp: Fields,
  token?: number,
): void {
  outbox.log('info', textOf(message), { ...sendable(fields), ...stamp }, token)
}

function textOf(message: unknown): string {
  try {
    return String(message).slice(0, MAX_LOG_BYTES)
  } catch {
    // Its own toString throws, or there is none.
    return '[unreadable message]'
  }
}

/** As the fields are now: the handler may go on with the same objects. */
function sendable(fields: unknown): Fields {
  try {
    if (typeof fields !== 'object' || fields === null) return {}
    return snapshot(fields, 'fields', MAX_LOG_BYTES).value as Fields
  } catch {
    return spelledOut(fields as Fields)
  }
}

function spelledOut(fields: Fields): Fields {
  try {
    const plain: object = fields instanceof Error ? { error: fields } : fields
    const kept: Record<string, unknown> = {}
    for (const [key, value] of Object.entries(plain)) kept[key] = fieldOf(key, value)
    return snapshot(kept, 'fields', MAX_LOG_BYTES).value as Fields
  } catch {
    return { fieldsDropped: `unreadable, or more than ${MAX_LOG_BYTES} bytes` }
  }
}

function fieldOf(key: string, value: unknown): unknown {
  try {
    return snapshot(value, key, MAX_LOG_BYTES).value
  } catch {
    return Object.values(logFields({}, { [key]: value }))[0]
  }
}
