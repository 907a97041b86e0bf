/** Copies of what holds other values and is no record: Maps, Sets, errors. */
import { entriesOf, errorLike, keptCause, membersOf } from './exotic-values.ts'
import { clip, keyText, type Step } from './value-path.ts'
import { add, note, refuse, SHELL_BYTES, type Walk } from './value-walk.ts'

/** Walks a value inside another. */
type Inside = (value: unknown, step: Step, walk: Walk) => unknown

export function mapOf(map: Map<unknown, unknown>, walk: Walk, inside: Inside): unknown {
  add(SHELL_BYTES, walk)
  const copy = note(map, new Map<unknown, unknown>(), walk) as Map<unknown, unknown>
  let index = 0
  for (const [key, value] of entriesOf(map)) {
    const keyCopy = inside(key, { text: ` key ${index}` }, walk)
    const text =
      typeof key === 'object' || typeof key === 'string' ? keyText(key, index) : String(key)
    const inner = inside(value, { text: `.get(${text})` }, walk)
    if (walk.isCopying) copy.set(keyCopy, inner)
    index++
  }
  return copy
}

export function setOf(set: Set<unknown>, walk: Walk, inside: Inside): unknown {
  add(SHELL_BYTES, walk)
  const copy = note(set, new Set<unknown>(), walk) as Set<unknown>
  let index = 0
  for (const value of membersOf(set)) {
    const inner = inside(value, { text: ` entry ${index++}` }, walk)
    if (walk.isCopying) copy.add(inner)
  }
  return copy
}

export function errorOf(error: Error, walk: Walk, inside: Inside): unknown {
  const lost = Object.keys(error)[0]
  if (lost !== undefined) {
    const kept = 'only name, message, stack and cause are kept; send a plain object'
    refuse(walk, `is an Error with a property '${clip(lost)}' that would be lost: ${kept}`)
  }
  const { message, stack } = error
  const copy = note(error, walk.isCopying ? errorLike(error, message, stack) : error, walk) as Error
  add(SHELL_BYTES, walk)
  inside(String(message), 'message', walk)
  if (typeof stack === 'string') inside(stack, 'stack', walk)
  const cause = keptCause(error)
  if (cause !== null) {
    const value = inside(cause.value, 'cause', walk)
    if (walk.isCopying) {
      Object.defineProperty(copy, 'cause', { value, writable: true, configurable: true })
    }
  }
  return copy
}
