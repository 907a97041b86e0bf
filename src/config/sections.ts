/**
 * The sections of a pool's options: the defaults of tasks, how crashed workers come back, the
 * browser. Their names and limits are part of the one schema in schema.ts.
 */
import { z } from 'zod'
import {
  choice,
  flag,
  MAX_BYTES,
  moduleReference,
  ms,
  section,
  share,
  shortText,
  text,
  whole,
} from './fields.ts'
import { DEFAULT_MAX_DEAD_LETTERS, DEFAULT_CACHE_BYTES } from '../common/limits.ts'
import { orderOfTask } from './order-schema.ts'
import {
  BACKOFF_TYPES,
  DEFAULT_TASK_OPTIONS,
  DEPENDENCY_FAILURES,
  MAX_ATTEMPTS,
  MAX_METADATA_KEYS,
  MAX_PRIORITY,
  MAX_RETRY_NAMES,
  PRIORITY_NAMES,
} from './task-options.ts'

const MAX_BROWSER_ARGS = 200
const MAX_RESTART_INTENSITY = 10_000
const MAX_DEAD_LETTERS = 10_000_000

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

export const task = section({
  priority: priority.optional(),
  attempts: whole(1, MAX_ATTEMPTS, 'Starts at most, the first included. Default 3.').optional(),
  backoff: backoff.optional(),
  timeout: ms('One attempt may run this long; 0: no limit. Default 300,000.').optional(),
  queueTimeout: ms('Wait before the first start; 0: no limit. Default 0.').optional(),
  deadline: ms('From submission to the end; 0: no limit. Default 0.').optional(),
  delay: ms('Before it may start. Default 0.').optional(),
  idempotent: flag('False: never start again what ran when its worker died.').optional(),
  retryOn: z
    .array(shortText('An error code or the name of an error class.'), {
      error: 'must be an array of strings',
    })
    .max(MAX_RETRY_NAMES, { error: `must have at most ${MAX_RETRY_NAMES} entries` })
    .readonly()
    .describe('Failures of a handler worth another attempt. Default: all but the permanent.')
    .optional(),
  dependencyFailure: choice(
    DEPENDENCY_FAILURES,
    'When a task it depends on does not succeed: fail too, or run all the same. Default fail.',
  ).optional(),
  ...orderOfTask,
  metadata: z
    .record(z.string(), z.unknown(), { error: 'must be an object' })
    .refine((record) => Object.keys(record).length <= MAX_METADATA_KEYS, {
      error: `must have at most ${MAX_METADATA_KEYS} keys`,
    })
    .describe('Shown in status and events, never interpreted.')
    .optional(),
})

export const deadLetters = section({
  max: whole(0, MAX_DEAD_LETTERS, 'Failed tasks kept; the oldest go first. 0: none.').default(
    DEFAULT_MAX_DEAD_LETTERS,
  ),
})

export const resultCache = section({
  maxBytes: whole(0, MAX_BYTES, 'Bytes of kept results; 0: none.', ' of bytes').default(
    DEFAULT_CACHE_BYTES,
  ),
  ttl: ms('How long a result is kept whose task does not say; 0: while there is room.').default(0),
})

export const restart = section({
  minBackoff: ms('Wait before a worker that crashed twice starts again.').default(200),
  maxBackoff: ms('Longest wait.').default(30_000),
  randomFactor: share('Share of the wait drawn at random.').default(0.2),
  resetBackoffAfter: ms('A worker that lived this long counts as one that never failed.').default(
    60_000,
  ),
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

export const browser = section({
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
