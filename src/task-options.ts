/**
 * Checks the options of one task. It is on the hot path of `submit`, so it is written by hand: no
 * schema, no copy of what did not change. Its limits are the ones the pool's schema shows. It never
 * touches the payload.
 */
import { asRecord, duration, refuse, trueOrFalse, wholeNumber } from './option-checks.ts'
import type { Priority, TaskOptions } from './pool-types.ts'

export const MAX_ATTEMPTS = 100
export const MAX_PRIORITY = 100
export const MAX_TASK_ID_LENGTH = 256
export const MAX_METADATA_KEYS = 64
export const MAX_MAP_CONCURRENCY = 100_000

export const PRIORITY_NAMES = { urgent: 0, high: 5, normal: 10, low: 20 } as const
export const BACKOFF_TYPES = ['fixed', 'exponential'] as const

export interface NormalBackoff {
  readonly type: 'fixed' | 'exponential'
  /** ms */
  readonly delay: number
  /** 0–1 */
  readonly jitter: number
  /** ms */
  readonly maxDelay: number
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
  readonly metadata: Readonly<Record<string, unknown>> | undefined
  readonly signal: AbortSignal | undefined
}

export interface NormalMapOptions {
  readonly task: NormalTaskOptions
  /** Undefined: the pool decides. */
  readonly concurrency: number | undefined
  readonly ordered: boolean
}

type Draft = { -readonly [Key in keyof NormalTaskOptions]: NormalTaskOptions[Key] }

export const DEFAULT_TASK_OPTIONS: NormalTaskOptions = Object.freeze({
  id: undefined,
  priority: PRIORITY_NAMES.normal,
  attempts: 3,
  backoff: Object.freeze({
    type: 'exponential' as const,
    delay: 1_000,
    jitter: 0.2,
    maxDelay: 30_000,
  }),
  timeout: 300_000,
  queueTimeout: 0,
  deadline: 0,
  delay: 0,
  idempotent: true,
  metadata: undefined,
  signal: undefined,
})

const TASK_OPTION_NAMES = Object.keys(DEFAULT_TASK_OPTIONS)

/**
 * The options of one task over the pool's defaults. Without input it is `defaults` itself.
 *
 * @throws CONFIG_INVALID naming the option and what it may be.
 * @example
 * parseTaskOptions({ priority: 'high', timeout: 30_000 }, config.task)
 */
export function parseTaskOptions(
  input: TaskOptions | undefined,
  defaults: NormalTaskOptions,
): NormalTaskOptions {
  if (input === undefined) return defaults
  const options = asRecord(input, 'task options')
  const draft: Draft = {
    id: defaults.id,
    priority: defaults.priority,
    attempts: defaults.attempts,
    backoff: defaults.backoff,
    timeout: defaults.timeout,
    queueTimeout: defaults.queueTimeout,
    deadline: defaults.deadline,
    delay: defaults.delay,
    idempotent: defaults.idempotent,
    metadata: defaults.metadata,
    signal: defaults.signal,
  }
  for (const key of Object.keys(options)) {
    const value = options[key]
    if (value !== undefined) setOption(draft, key, value)
  }
  return draft
}

/**
 * The options of `map`: those of each task, and how many at once.
 *
 * @throws CONFIG_INVALID naming the option and what it may be.
 */
export function parseMapOptions(
  input: (TaskOptions & { concurrency?: number; ordered?: boolean }) | undefined,
  defaults: NormalTaskOptions,
): NormalMapOptions {
  if (input === undefined) return { task: defaults, concurrency: undefined, ordered: false }
  const { concurrency, ordered, ...task } = asRecord(input, 'map options')
  if ('id' in task && task.id !== undefined) {
    refuse('id', 'cannot be set for a whole map: each of its tasks needs its own', task.id)
  }
  return {
    task: Object.keys(task).length === 0 ? defaults : parseTaskOptions(task, defaults),
    concurrency:
      concurrency === undefined
        ? undefined
        : wholeNumber('concurrency', concurrency, 1, MAX_MAP_CONCURRENCY),
    ordered: ordered === undefined ? false : trueOrFalse('ordered', ordered),
  }
}

function setOption(draft: Draft, key: string, value: unknown): void {
  switch (key) {
    case 'id':
      draft.id = taskId(value)
      return
    case 'priority':
      draft.priority = priority(value)
      return
    case 'attempts':
      draft.attempts = wholeNumber(key, value, 1, MAX_ATTEMPTS)
      return
    case 'backoff':
      draft.backoff = backoff(value, draft.backoff)
      return
    case 'timeout':
    case 'queueTimeout':
    case 'deadline':
    case 'delay':
      draft[key] = duration(key, value)
      return
    case 'idempotent':
      draft.idempotent = trueOrFalse(key, value)
      return
    case 'metadata':
      draft.metadata = metadata(value)
      return
    case 'signal':
      draft.signal = abortSignal(value)
      return
    default:
      refuse(key, `is not a task option; these are: ${TASK_OPTION_NAMES.join(', ')}`)
  }
}

function taskId(value: unknown): string {
  if (typeof value === 'string' && value.length > 0 && value.length <= MAX_TASK_ID_LENGTH) {
    return value
  }
  return refuse('id', `must be a string of 1 to ${MAX_TASK_ID_LENGTH} characters`, value)
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
  return record
}

function abortSignal(value: unknown): AbortSignal {
  const signal = value as Partial<AbortSignal> | null
  if (
    typeof signal === 'object' &&
    signal !== null &&
    typeof signal.aborted === 'boolean' &&
    typeof signal.addEventListener === 'function'
  ) {
    return signal as AbortSignal
  }
  return refuse('signal', "must be an AbortSignal, as in 'new AbortController().signal'", value)
}
