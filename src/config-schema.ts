/**
 * What a pool can be configured with: the one zod schema, its limits and its defaults. The types,
 * the messages and the JSON Schema come from it. It never looks at the machine; what depends on it
 * (cores, folders) is filled in by config.ts.
 */
import { z } from 'zod'
import type { LogSink } from './logger.ts'
import type { PoolOptions } from './pool-options.ts'
import { MAX_DURATION_MS } from './option-checks.ts'
import {
  BACKOFF_TYPES,
  DEFAULT_TASK_OPTIONS,
  MAX_ATTEMPTS,
  MAX_METADATA_KEYS,
  MAX_PRIORITY,
  PRIORITY_NAMES,
} from './task-options.ts'

export const MAX_WORKERS = 64
export const MAX_TASKS_PER_WORKER = 256
export const MAX_QUEUE = 100_000_000
export const MAX_BROWSER_ARGS = 200
export const MIN_WORKER_MEMORY_BYTES = 16 * 1024 * 1024
const MAX_BYTES = 2 ** 50
const MAX_RESTART_INTENSITY = 10_000
const MAX_TEXT = 4_096

export const OBSERVABILITY_LEVELS = ['basic', 'detailed', 'complete'] as const

function whole(min: number, max: number, description: string, unit = '') {
  const error = `must be a whole number${unit} from ${min} to ${max}`
  return z.int({ error }).min(min, { error }).max(max, { error }).describe(description)
}

function ms(description: string, min = 0) {
  return whole(min, MAX_DURATION_MS, `ms. ${description}`, ' of ms')
}

function share(description: string) {
  const error = 'must be a number from 0 to 1'
  return z.number({ error }).min(0, { error }).max(1, { error }).describe(description)
}

function flag(description: string) {
  return z.boolean({ error: 'must be true or false' }).describe(description)
}

function choice<const Names extends readonly [string, ...string[]]>(
  names: Names,
  description: string,
) {
  return z.enum(names, { error: `must be one of: ${names.join(', ')}` }).describe(description)
}

function text(description: string) {
  const error = `must be a string of 1 to ${MAX_TEXT} characters`
  return z.string({ error }).min(1, { error }).max(MAX_TEXT, { error }).describe(description)
}

/** A module to load: a URL, or a path relative to the working folder. */
function moduleReference(description: string) {
  const error = 'must be a URL or a path, as in new URL("./tasks.ts", import.meta.url)'
  const reference = z.union([z.string().min(1).max(MAX_TEXT), z.instanceof(URL)], { error })
  return reference.describe(description)
}

function section<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, { error: sectionError })
}

/** Unknown keys keep zod's own issue: config.ts turns it into a suggestion. */
function sectionError(issue: { readonly code?: string }): string | undefined {
  return issue.code === 'invalid_type' ? 'must be an object' : undefined
}

const backoff = section({
  type: choice(BACKOFF_TYPES, 'How the wait grows. Default exponential.').optional(),
  delay: ms('Wait before the second attempt. Default 1,000.').optional(),
  jitter: share('Share of the wait drawn at random. Default 0.2.').optional(),
  maxDelay: ms('Cap of the growth. Default 30,000.').optional(),
}).refine(
  ({ delay, maxDelay }) =>
    maxDelay === undefined || maxDelay >= (delay ?? DEFAULT_TASK_OPTIONS.backoff.delay),
  { path: ['maxDelay'], error: 'must not be less than delay' },
)

const priorityNames = Object.keys(PRIORITY_NAMES) as [keyof typeof PRIORITY_NAMES]
const priority = z
  .union([z.int().min(0).max(MAX_PRIORITY), z.enum(priorityNames)], {
    error: `must be a whole number from 0 to ${MAX_PRIORITY} or ${priorityNames.join(', ')}`,
  })
  .describe('0 first, 100 last. Default 10.')

const task = section({
  priority: priority.optional(),
  attempts: whole(1, MAX_ATTEMPTS, 'Starts at most, the first included. Default 3.').optional(),
  backoff: backoff.optional(),
  timeout: ms('One attempt may run this long; 0: no limit. Default 300,000.').optional(),
  queueTimeout: ms('Wait before the first start; 0: no limit. Default 0.').optional(),
  deadline: ms('From submission to the end; 0: no limit. Default 0.').optional(),
  delay: ms('Before it may start. Default 0.').optional(),
  idempotent: flag('False: never start again what ran when its worker died.').optional(),
  metadata: z
    .record(z.string(), z.unknown(), { error: 'must be an object' })
    .refine((record) => Object.keys(record).length <= MAX_METADATA_KEYS, {
      error: `must have at most ${MAX_METADATA_KEYS} keys`,
    })
    .describe('Shown in status and events, never interpreted.')
    .optional(),
})

const restart = section({
  minBackoff: ms('First wait before a crashed worker starts again.').default(200),
  maxBackoff: ms('Longest wait.').default(30_000),
  randomFactor: share('Share of the wait drawn at random.').default(0.2),
  resetBackoffAfter: ms('A worker that lived this long starts from minBackoff.').default(60_000),
  intensity: whole(
    1,
    MAX_RESTART_INTENSITY,
    'Restarts per period before the breaker opens. Default max(5, 2 × workers).',
  ).optional(),
  period: ms('The window of intensity.', 1).default(30_000),
}).refine(({ minBackoff, maxBackoff }) => minBackoff <= maxBackoff, {
  path: ['maxBackoff'],
  error: 'must not be less than minBackoff',
})

const browserArgs = z
  .array(text('One switch, as --lang=en.'), { error: 'must be an array of strings' })
  .max(MAX_BROWSER_ARGS, { error: `must have at most ${MAX_BROWSER_ARGS} entries` })

const browser = section({
  executablePath: text('Path of the Chromium to start. Default: found.').optional(),
  headless: flag('Without a window.').default(true),
  args: browserArgs.describe('Further command line switches.').default([]),
  baseProfile: text('Folder that each worker gets a clone of as its profile.').optional(),
  maxProfileBytes: whole(1, MAX_BYTES, 'Bytes a profile may grow to.', ' of bytes').default(
    100 * 1024 * 1024,
  ),
  driver: moduleReference('Module that exports a BrowserDriver of your own.').optional(),
  isolation: choice(
    ['session', 'context'],
    'session: cookies and logins persist in a worker; context: a clean context per task.',
  ).default('session'),
  launchTimeout: ms('A launch may take this long.', 1).default(20_000),
})

function isLogSink(value: unknown): value is LogSink {
  if (typeof value !== 'object' || value === null) return false
  const sink = value as Partial<Record<string, unknown>>
  return ['error', 'warn', 'info', 'debug'].every((level) => typeof sink[level] === 'function')
}

const memoryError = `must be 0 (off) or at least ${MIN_WORKER_MEMORY_BYTES} bytes (16 MiB)`
const workers = () => whole(1, MAX_WORKERS, 'Worker processes.')

export const poolSchema = section({
  tasks: moduleReference('The task file: a URL, or a path relative to the working folder.'),
  artifacts: text('Folder for files that tasks produce. Default: in the run folder.').optional(),
  runFolder: text('Folder in which the pool makes its run folder.').optional(),
  workers: workers().optional(),
  minWorkers: workers().optional(),
  maxWorkers: workers().optional(),
  concurrentTasksPerWorker: whole(1, MAX_TASKS_PER_WORKER, 'Tasks (tabs) at once.').default(1),
  maxQueue: whole(1, MAX_QUEUE, 'Tasks not yet ended; more are refused.').default(1_000_000),
  task: task.prefault({}).describe('Defaults for the options of every task.'),
  parallel: flag('False: one task at a time in the whole pool.').default(true),
  cancelGrace: ms('From the abort signal to the kill.').default(5_000),
  maxTasksPerWorker: whole(0, MAX_QUEUE, 'Tasks before recycling; 0: off.').default(0),
  maxWorkerAge: ms('Age at which a worker is recycled; 0: off.').default(0),
  maxWorkerMemory: whole(0, MAX_BYTES, 'Bytes at which a worker is recycled; 0: off.', ' of bytes')
    .refine((bytes) => bytes === 0 || bytes >= MIN_WORKER_MEMORY_BYTES, { error: memoryError })
    .default(0),
  memoryThreshold: share('Used share of memory at which idle workers are recycled.').default(0.75),
  heartbeatInterval: ms('Between two signs of life of a worker.', 10).default(5_000),
  zombieAfter: ms('A worker silent this long is killed.', 20).default(30_000),
  startTimeout: ms('From fork to a ready session.', 1).default(30_000),
  closeTimeout: ms('Closing one worker.', 1).default(10_000),
  drainTimeout: ms('Draining at shutdown.').default(60_000),
  restart: restart.prefault({}).describe('How crashed workers come back.'),
  browser: browser.prefault({}).describe('The browser of each worker.'),
  observability: choice(OBSERVABILITY_LEVELS, 'How much is recorded and logged.').default('basic'),
  logger: z
    .union([z.literal('silent'), z.custom<LogSink>(isLogSink)], {
      error: "must be 'silent' or an object with error, warn, info and debug methods",
    })
    .optional(),
  signals: flag('Shut down on SIGINT, SIGTERM and SIGHUP.').default(true),
}).superRefine((options, context) => {
  const object = (path: string, message: string) =>
    context.addIssue({ code: 'custom', path: [path], message })
  const { workers: fixed, minWorkers, maxWorkers } = options
  if (fixed !== undefined && (minWorkers !== undefined || maxWorkers !== undefined)) {
    object('workers', 'is a fixed number: leave out minWorkers and maxWorkers, or use only those')
  }
  if (minWorkers !== undefined && maxWorkers !== undefined && minWorkers > maxWorkers) {
    object('maxWorkers', `must not be less than minWorkers (${minWorkers})`)
  }
  if (options.zombieAfter < 2 * options.heartbeatInterval) {
    object('zombieAfter', `must be at least twice heartbeatInterval (${options.heartbeatInterval})`)
  }
})

type Input = z.input<typeof poolSchema>
/** `true` only where the schema takes what PoolOptions promises, and by the same names. */
type Agrees = PoolOptions extends Input
  ? [Exclude<NamesOf<Input>, NamesOf<PoolOptions>>] extends [never]
    ? true
    : false
  : false
/** The names of all options, those of sections as `browser.args`. */
type NamesOf<Options> =
  | keyof Options
  | {
      [Section in 'task' | 'browser' | 'restart']: Options extends {
        [Key in Section]?: infer Inner
      }
        ? `${Section}.${string & keyof NonNullable<Inner>}`
        : never
    }['task' | 'browser' | 'restart']
true satisfies Agrees
