/**
 * The small checks that options are made of, each with a message that names the option, the rule
 * and what was given. Written by hand because they are on the hot path of `submit`.
 */
import { TroupeError } from './errors.ts'

/** The longest duration an option may name: what a timer can hold, 24.8 days. */
export const MAX_DURATION_MS = 2 ** 31 - 1
const MAX_SHOWN = 60

export function duration(name: string, value: unknown): number {
  return wholeNumber(name, value, 0, MAX_DURATION_MS, ' of ms')
}

export function wholeNumber(
  name: string,
  value: unknown,
  min: number,
  max: number,
  unit = '',
): number {
  if (Number.isInteger(value)) {
    const number = value as number
    if (number >= min && number <= max) return number
  }
  return refuse(name, `must be a whole number${unit} from ${min} to ${max}`, value)
}

export function trueOrFalse(name: string, value: unknown): boolean {
  return typeof value === 'boolean' ? value : refuse(name, 'must be true or false', value)
}

export function asRecord(value: unknown, name: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>
  }
  return refuse(name, 'must be an object', value)
}

export function refuse(name: string, rule: string, value?: unknown): never {
  const got = value === undefined ? '' : `; got ${describeValue(value)}`
  throw new TroupeError('CONFIG_INVALID', `${name} ${rule}${got}`)
}

/** A value as an error message shows it: short, and never by calling its own methods. */
export function describeValue(value: unknown): string {
  if (typeof value === 'string') {
    return JSON.stringify(value.length > MAX_SHOWN ? `${value.slice(0, MAX_SHOWN)}…` : value)
  }
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'object' && value !== null)
    return Array.isArray(value) ? 'an array' : 'an object'
  return typeof value === 'bigint' ? `${value}n` : String(value)
}
