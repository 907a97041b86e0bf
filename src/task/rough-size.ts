/** How big a value is, roughly. It looks; it never changes a value and never throws. */
const PRIMITIVE_BYTES = 8

/** The size of `value` in bytes, roughly. Stops counting once it is past `ceiling`. */
export function roughBytes(value: unknown, ceiling: number): number {
  if (typeof value !== 'object' || value === null) return leafBytes(value)
  const seen = new Set<object>()
  const open: unknown[] = [value]
  let bytes = 0
  while (open.length > 0 && bytes <= ceiling) {
    const next = open.pop()
    if (typeof next !== 'object' || next === null) {
      bytes += leafBytes(next)
      continue
    }
    if (seen.has(next)) continue
    seen.add(next)
    bytes += PRIMITIVE_BYTES
    if (ArrayBuffer.isView(next) || next instanceof ArrayBuffer) bytes += next.byteLength
    else bytes += pushParts(next, open)
  }
  return bytes
}

function leafBytes(value: unknown): number {
  return typeof value === 'string' ? value.length : PRIMITIVE_BYTES
}

/** Puts what `value` holds on `open`; returns the bytes of its keys. */
function pushParts(value: object, open: unknown[]): number {
  if (Array.isArray(value) || value instanceof Set) {
    for (const item of value) open.push(item)
    return 0
  }
  if (value instanceof Map) {
    for (const [key, item] of value) open.push(key, item)
    return 0
  }
  let bytes = 0
  for (const key in value) {
    bytes += key.length
    open.push((value as Record<string, unknown>)[key])
  }
  return bytes
}
