/** What becomes of a payload at the door: a copy of it as it was then, or a refusal by name. */
import { snapshot } from './snapshot.ts'

export { MAX_PAYLOAD_DEPTH } from './snapshot.ts'

/**
 * A copy of the payload as it is now, which structured clone carries faithfully.
 *
 * @throws PAYLOAD_INVALID naming the place, as `payload.orders[3].callback is a function; …`.
 * @example
 * payloadOf({ po: 'PO-001', since: new Date() })
 */
export function payloadOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null
    ? snapshot(value, 'payload').value
    : leaf(value)
}

function leaf(value: unknown): unknown {
  const type = typeof value
  if (type === 'string' || type === 'function' || type === 'symbol' || type === 'bigint') {
    snapshot(value, 'payload')
  }
  return value
}
