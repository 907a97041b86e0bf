/**
 * The options of one task, with nothing left open: what was given over the pool's defaults. It never
 * touches the payload. What each option may be stands in option-checks.ts.
 */
import { asRecord, refuse, trueOrFalse, wholeNumber } from '../common/checks.ts'
import type { MapOptions, TaskOptions } from '../api/task.ts'
import {
  keyed,
  MAX_KEY_LENGTH,
  MAX_TASK_ID_LENGTH,
  PRIORITY_NAMES,
  TASK_OPTION_CHECKS,
  text,
  type NormalTaskOptions,
} from './task-option-checks.ts'

export {
  BACKOFF_TYPES,
  DEPENDENCY_FAILURES,
  MAX_ATTEMPTS,
  MAX_METADATA_KEYS,
  MAX_PRIORITY,
  MAX_RETRY_NAMES,
  MAX_TASK_ID_LENGTH,
  PRIORITY_NAMES,
} from './task-option-checks.ts'

const MAX_MAP_CONCURRENCY = 100_000

interface NormalMapOptions {
  /** Undefined: the pool decides. */
  readonly concurrency: number | undefined
  readonly ordered: boolean
  /** The options of the task for one payload. */
  taskFor(payload: unknown): NormalTaskOptions
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
  retryOn: undefined,
  dependsOn: undefined,
  dependencyFailure: 'fail' as const,
  deduplication: undefined,
  cache: undefined,
  group: undefined,
  requires: undefined,
  affinity: undefined,
  session: 'default',
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
  const draft: Draft = { ...defaults }
  for (const key of Object.keys(options)) {
    const value = options[key]
    if (value !== undefined) setOption(draft, key, value)
  }
  return draft
}

function setOption(draft: Draft, key: string, value: unknown): void {
  if (!Object.hasOwn(TASK_OPTION_CHECKS, key)) {
    refuse(key, `is not a task option; these are: ${TASK_OPTION_NAMES.join(', ')}`)
  }
  const name = key as keyof NormalTaskOptions
  const check = TASK_OPTION_CHECKS[name] as (...given: unknown[]) => never
  draft[name] = check(value, name, draft[name])
}

/**
 * The options of `map`: those of each task, and how many at once. What must differ from task to
 * task (`id` and the keys) is a function of its payload.
 *
 * @throws CONFIG_INVALID naming the option and what it may be.
 */
export function parseMapOptions(
  input: MapOptions<never> | undefined,
  defaults: NormalTaskOptions,
): NormalMapOptions {
  if (input === undefined) {
    return { concurrency: undefined, ordered: false, taskFor: () => defaults }
  }
  const { concurrency, ordered, id, deduplication, cache, ...rest } = asRecord(input, 'map options')
  const shared = parseTaskOptions(rest, defaults)
  const own = { id, deduplication, cache }
  const hasOwn = Object.values(own).some((option) => option !== undefined)
  const taskFor = hasOwn ? ownOptions(own, shared) : () => shared
  return {
    concurrency:
      concurrency === undefined
        ? undefined
        : wholeNumber('concurrency', concurrency, 1, MAX_MAP_CONCURRENCY),
    ordered: ordered === undefined ? false : trueOrFalse('ordered', ordered),
    taskFor,
  }
}

type Chooser = (payload: unknown) => unknown

function ownOptions(
  { id, deduplication, cache }: Record<'id' | 'deduplication' | 'cache', unknown>,
  shared: NormalTaskOptions,
): (payload: unknown) => NormalTaskOptions {
  const idOf = id === undefined ? null : chooser(id, 'id')
  const once = deduplication === undefined ? null : keyed(deduplication, 'deduplication', chooser)
  const kept = cache === undefined ? null : keyed(cache, 'cache', chooser)
  return (payload) => {
    const draft: Draft = { ...shared }
    if (idOf !== null) draft.id = text(idOf(payload), 'id', MAX_TASK_ID_LENGTH)
    if (once !== null) {
      const key = text(once.key(payload), 'deduplication.key', MAX_KEY_LENGTH)
      draft.deduplication = { key, ttl: once.ttl ?? 0 }
    }
    if (kept !== null) {
      draft.cache = { key: text(kept.key(payload), 'cache.key', MAX_KEY_LENGTH), ttl: kept.ttl }
    }
    return draft
  }
}

function chooser(value: unknown, name: string): Chooser {
  if (typeof value === 'function') return value as Chooser
  const rule = 'cannot be one for a whole map: give a function of the payload'
  return refuse(name, rule, value)
}
