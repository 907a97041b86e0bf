/**
 * What fits through the pipe to the pool: how big a value is, roughly, and which part of it can't be sent at all.
 * It looks; it never changes a value.
 */
import { serialize } from 'node:v8'

export { roughBytes } from '../task/rough-size.ts'

/** The search for what can't be sent gives up beyond these, and then names the whole. */
const MAX_DEPTH = 12
const MAX_NODES = 20_000

/**
 * The path of the first part of `value` that can't be sent, as `result.onDone`. Null if all of it can.
 *
 * @example
 * unsendablePart({ page: () => 1 }, 'result') // 'result.page (a function)'
 */
export function unsendablePart(value: unknown, root: string): string | null {
  return new Search().find(value, root, 0)
}

class Search {
  private readonly seen = new Set<unknown>()
  private nodes = 0

  find(value: unknown, path: string, depth: number): string | null {
    if (typeof value === 'function' || typeof value === 'symbol') {
      return `${path} (a ${typeof value})`
    }
    if (typeof value !== 'object' || value === null || this.seen.has(value)) return null
    this.seen.add(value)
    this.nodes += 1
    if (depth < MAX_DEPTH && this.nodes < MAX_NODES) {
      for (const [part, item] of partsOf(value, path)) {
        const found = this.find(item, part, depth + 1)
        if (found !== null) return found
      }
    }
    return serializes(value) ? null : `${path} (${nameOf(value)})`
  }
}

function* partsOf(value: object, path: string): Generator<[string, unknown]> {
  if (ArrayBuffer.isView(value)) return
  if (value instanceof Map) {
    for (const [key, item] of value) yield [`${path}.get(${String(key)})`, item]
  } else if (value instanceof Set) {
    for (const item of value) yield [`${path} (a member)`, item]
  } else {
    for (const key of Object.keys(value)) {
      const part = Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`
      yield [part, Reflect.get(value, key)]
    }
  }
}

function serializes(value: unknown): boolean {
  try {
    serialize(value)
    return true
  } catch {
    return false
  }
}

function nameOf(value: object): string {
  return `a ${value.constructor?.name ?? 'value'}`
}
