/**
 * The options of one task, each with its check: what it may be, said by name when it is not. Written
 * by hand because it is on the hot path of `submit`; the limits are the ones the pool's schema
 * shows.
 */
import { asRecord, duration, refuse, trueOrFalse, wholeNumber } from '../common/checks.ts'
import type { Priority } from '../api/task.ts'

import { snapshot } from '../values/snapshot.ts'

export const MAX_ATTEMPTS = 100
export const MAX_PRIORITY = 100
export const MAX_TASK_ID_LENGTH = 256
export const MAX_KEY_LENGTH = 1_024
export const MAX_METADATA_KEYS = 64
const MAX_DEPENDENCIES = 1_000
export const MAX_RETRY_NAMES = 64
export const MAX_GROUP_LENGTH = 256
export const MAX_REQUIREMENTS = 16
export const MAX_NAME_LENGTH = 256

export const PRIORITY_NAMES = { urgent: 0, high: 5, normal: 10, low: 20 } as const
export const BACKOFF_TYPES = ['fixed', 'exponential'] as const
export const DEPENDENCY_FAILURES = ['fail', 'run'] as const

type Check<Name extends keyof NormalTaskOptions> = (
  value: unknown,
  name: Name,
  before: NormalTaskOptions[Name],
) => NormalTaskOptions[Name]

/** One for each option. */
export const TASK_OPTION_CHECKS: { readonly [Name in keyof NormalTaskOptions]: Check<Name> } = {
  id: (value) => text(value, 'id', MAX_TASK_ID_LENGTH),
  priority,
  attempts: (value, name) => wholeNumber(name, value, 1, MAX_ATTEMPTS),
  backoff: (value, _, before) => backoff(value, before),
  timeout: (value, name) => duration(name, value),
  queueTimeout: (value, name) => duration(name, value),
  deadline: (value, name) => duration(name, value),
  delay: (value, name) => duration(name, value),
  idempotent: (value, name) => trueOrFalse(name, value),
  retryOn: (value, name) => texts(value, name, MAX_RETRY_NAMES, MAX_NAME_LENGTH),
  dependsOn: (value, name) =>
    dependencies(texts(value, name, MAX_DEPENDENCIES, MAX_TASK_ID_LENGTH)),
  dependencyFailure: (value, name) => oneOf(value, name, DEPENDENCY_FAILURES),
  deduplication: (value, name) => {
    const { key, ttl } = normalKey(value, name)
    return { key, ttl: ttl ?? 0 }
  },
  cache: normalKey,
  group: (value, name) => text(value, name, MAX_GROUP_LENGTH),
  requires: (value, name) => requirements(texts(value, name, MAX_REQUIREMENTS, MAX_NAME_LENGTH)),
  affinity: (value, name) => text(value, name, MAX_KEY_LENGTH),
  session: (value, name) => text(value, name, MAX_NAME_LENGTH),
  metadata,
  signal,
}

export function text(value: unknown, name: string, most: number): string {
  if (typeof value === 'string' && value.length > 0 && value.length <= most) return value
  return refuse(name, `must be a string of 1 to ${most} characters`, value)
}

function texts(value: unknown, name: string, most: number, length: number): string[] {
  if (!Array.isArray(value)) refuse(name, 'must be an array of strings', value)
  const list = value as readonly unknown[]
  if (list.length > most) refuse(name, `must have at most ${most} entries; it has ${list.length}`)
  return Array.from(list, (entry, index) => text(entry, `${name}[${index}]`, length))
}

function oneOf<const Choice extends string>(
  value: unknown,
  name: string,
  choices: readonly Choice[],
): Choice {
  if (choices.includes(value as Choice)) return value as Choice
  return refuse(name, `must be one of: ${choices.join(', ')}`, value)
}

/** `{ key, ttl? }`, with the key checked by `keyOf`. */
export function keyed<Key>(
  value: unknown,
  name: string,
  keyOf: (key: unknown, name: string) => Key,
): { readonly key: Key; readonly ttl: number | null } {
  const options = asRecord(value, name)
  for (const option of Object.keys(options)) {
    if (option !== 'key' && option !== 'ttl') {
      refuse(`${name}.${option}`, 'is not an option; these are: key, ttl')
    }
  }
  const key = keyOf(options.key, `${name}.key`)
  return { key, ttl: options.ttl === undefined ? null : duration(`${name}.ttl`, options.ttl) }
}

function normalKey(value: unknown, name: string): NormalKey {
  return keyed(value, name, (key, keyName) => text(key, keyName, MAX_KEY_LENGTH))
}

function dependencies(ids: readonly string[]): readonly string[] {
  const seen = new Set<string>()
  for (const id of ids) {
    if (seen.has(id)) refuse('dependsOn', `names the task ${id} twice`)
    seen.add(id)
  }
  return ids
}

/** The same requirements are the same, in whatever order they were given. */
function requirements(names: readonly string[]): readonly string[] | undefined {
  return names.length === 0 ? undefined : [...new Set(names)].toSorted()
}

function priority(value: unknown): Extract<Priority, number> {
  if (typeof value === 'number') return wholeNumber('priority', value, 0, MAX_PRIORITY)
  if (typeof value === 'string' && Object.hasOwn(PRIORITY_NAMES, value)) {
    return PRIORITY_NAMES[value as keyof typeof PRIORITY_NAMES]
  }
  const names = Object.keys(PRIORITY_NAMES).join(', ')
  return refuse('priority', `must be a whole number from 0 to ${MAX_PRIORITY} or ${names}`, value)
}

function backoff(input: unknown, defaults: NormalBackoff): NormalBackoff {
  const options = asRecord(input, 'backoff')
  for (const key of Object.keys(options)) {
    if (!Object.hasOwn(defaults, key)) {
      refuse(`backoff.${key}`, 'is not an option; these are: type, delay, jitter, maxDelay')
    }
  }
  const type = given(options.type, defaults.type)
  if (type !== 'fixed' && type !== 'exponential') {
    refuse('backoff.type', 'must be fixed or exponential', type)
  }
  const jitter = given(options.jitter, defaults.jitter)
  if (typeof jitter !== 'number' || !(jitter >= 0 && jitter <= 1)) {
    refuse('backoff.jitter', 'must be a number from 0 to 1', jitter)
  }
  const delay = duration('backoff.delay', given(options.delay, defaults.delay))
  // A longer first delay lifts the default cap; a cap the caller named himself must hold.
  const maxDelay =
    options.maxDelay === undefined
      ? Math.max(defaults.maxDelay, delay)
      : duration('backoff.maxDelay', options.maxDelay)
  if (maxDelay < delay) {
    refuse('backoff.maxDelay', `must not be less than backoff.delay (${delay})`, maxDelay)
  }
  return { type, delay, jitter, maxDelay }
}

function given(value: unknown, otherwise: unknown): unknown {
  return value === undefined ? otherwise : value
}

function metadata(value: unknown): Readonly<Record<string, unknown>> {
  const record = asRecord(value, 'metadata')
  const count = Object.keys(record).length
  if (count > MAX_METADATA_KEYS) {
    refuse('metadata', `must have at most ${MAX_METADATA_KEYS} keys; it has ${count}`)
  }
  // As it is now: it stays with the task, and in the store.
  return snapshot(record, 'metadata').value as Readonly<Record<string, unknown>>
}

function signal(value: unknown): AbortSignal {
  const source = value as Partial<AbortSignal> | null
  if (
    typeof source === 'object' &&
    source !== null &&
    typeof source.aborted === 'boolean' &&
    typeof source.addEventListener === 'function'
  ) {
    return source as AbortSignal
  }
  return refuse('signal', "must be an AbortSignal, as in 'new AbortController().signal'", value)
}

interface NormalBackoff {
  readonly type: 'fixed' | 'exponential'
  /** ms */
  readonly delay: number
  /** 0–1 */
  readonly jitter: number
  /** ms */
  readonly maxDelay: number
}

interface NormalKey {
  readonly key: string
  /** ms; null: the pool's. */
  readonly ttl: number | null
}

/** Task options with nothing left open. Durations in ms, 0 for none. */
export interface NormalTaskOptions {
  readonly id: string | undefined
  readonly priority: number
  readonly attempts: number
  readonly backoff: NormalBackoff
  readonly timeout: number
  readonly queueTimeout: number
  readonly deadline: number
  readonly delay: number
  readonly idempotent: boolean
  /** Undefined: whatever is not permanent by itself. */
  readonly retryOn: readonly string[] | undefined
  readonly dependsOn: readonly string[] | undefined
  readonly dependencyFailure: 'fail' | 'run'
  readonly deduplication: { readonly key: string; readonly ttl: number } | undefined
  readonly cache: NormalKey | undefined
  readonly group: string | undefined
  /** Sorted, none twice; undefined: none. */
  readonly requires: readonly string[] | undefined
  readonly affinity: string | undefined
  readonly session: string
  readonly metadata: Readonly<Record<string, unknown>> | undefined
  readonly signal: AbortSignal | undefined
}
