/**
 * What a pool can be configured with: the one zod schema, its limits and its defaults. The types,
 * the messages and the JSON Schema come from it. It never looks at the machine; what depends on it
 * (cores, folders) is filled in by config.ts.
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
  text,
  whole,
} from './fields.ts'
import { browser, deadLetters, restart, resultCache, task } from './sections.ts'
import type { LogSink } from '../common/logger.ts'
import { strategies } from '../../machines/order-policy.ts'
import { capabilities, groupConcurrency } from './order-schema.ts'
import type { PoolOptions } from '../api/options.ts'
import { store } from './store-schema.ts'
import { plugins, taskTypes } from './task-types.ts'

export const MAX_WORKERS = 64
const MAX_TASKS_PER_WORKER = 256
const MAX_QUEUE = 100_000_000
const DEFAULT_DISK_FLOOR_BYTES = 32 * 1024 * 1024
const MIN_WORKER_MEMORY_BYTES = 16 * 1024 * 1024

const OBSERVABILITY_LEVELS = ['basic', 'detailed', 'complete'] as const

function isLogSink(value: unknown): value is LogSink {
  if (typeof value !== 'object' || value === null) return false
  const sink = value as Partial<Record<string, unknown>>
  return ['error', 'warn', 'info', 'debug'].every((level) => typeof sink[level] === 'function')
}

const memoryError = `must be 0 (off) or at least ${MIN_WORKER_MEMORY_BYTES} bytes (16 MiB)`
const strategyNames = Object.keys(strategies) as [keyof typeof strategies]
const workers = () => whole(1, MAX_WORKERS, 'Worker processes.')

export const poolSchema = section({
  tasks: moduleReference('The task file: a URL, or a path relative to the working folder.'),
  artifacts: text('Folder for files that tasks produce. Default: in the run folder.').optional(),
  runFolder: text('Folder in which the pool makes its run folder.').optional(),
  workers: workers().optional(),
  minWorkers: workers().optional(),
  maxWorkers: workers().optional(),
  standby: whole(0, MAX_WORKERS, 'Started spares beside the workers; 0: none.').default(0),
  idleTimeout: ms('Low load this long takes one worker away.').default(60_000),
  concurrentTasksPerWorker: whole(1, MAX_TASKS_PER_WORKER, 'Tasks (tabs) at once.').default(1),
  maxQueue: whole(1, MAX_QUEUE, 'Tasks that wait; more are refused.').default(1_000_000),
  queueFull: choice(
    ['reject', 'wait'],
    'reject: run and map fail when the queue is full; wait: they wait for room.',
  ).default('reject'),
  task: task.prefault({}).describe('Defaults for the options of every task.'),
  ageing: ms('A wait that is worth a step of priority; 0: none is.').default(10_000),
  strategy: choice(strategyNames, 'Which worker gets the next task.').default('roundRobin'),
  groupConcurrency,
  capabilities,
  deadLetters: deadLetters.prefault({}).describe('Failed tasks that are kept.'),
  store: store.optional(),
  resultCache: resultCache.prefault({}).describe('Results of tasks with the option cache.'),
  taskTypes: taskTypes.prefault({}).describe('What built-in and plugged-in types may do.'),
  plugins,
  workerScript: moduleReference('Module that is loaded in each worker first.').optional(),
  parallel: z
    .union([z.boolean(), z.literal('auto')], { error: "must be true, false or 'auto'" })
    .describe('False: one task at a time, without a process; auto: so where none can be forked.')
    .default(true),
  sequentialBelow: whole(0, MAX_QUEUE, 'Tasks up to which no process is forked; 0: off.').default(
    0,
  ),
  cancelGrace: ms('From the abort signal to the kill.').default(5_000),
  maxTasksPerWorker: whole(0, MAX_QUEUE, 'Tasks before recycling; 0: off.').default(0),
  maxWorkerAge: ms('Age at which a worker is recycled; 0: off.').default(0),
  maxWorkerMemory: whole(0, MAX_BYTES, 'Bytes at which a worker is recycled; 0: off.', ' of bytes')
    .refine((bytes) => bytes === 0 || bytes >= MIN_WORKER_MEMORY_BYTES, { error: memoryError })
    .default(0),
  maxWorkerMemoryHard: whole(
    0,
    MAX_BYTES,
    'Bytes at which a worker is killed; 0: off.',
    ' of bytes',
  )
    .refine((bytes) => bytes === 0 || bytes >= MIN_WORKER_MEMORY_BYTES, { error: memoryError })
    .default(0),
  diskFloor: whole(
    0,
    MAX_BYTES,
    'Bytes that must be free where profiles and artifacts are written; 0: off.',
    ' of bytes',
  ).default(DEFAULT_DISK_FLOOR_BYTES),
  memoryThreshold: share('Used share of memory at which idle workers are recycled.').default(0.75),
  heartbeatInterval: ms('Between two signs of life of a worker.', 10).default(5_000),
  zombieAfter: ms('A worker silent this long is killed.', 20).default(30_000),
  startTimeout: ms('Loading the task file, and again opening the session.', 1).default(30_000),
  closeTimeout: ms('Closing one worker.', 1).default(10_000),
  drainTimeout: ms('Draining at shutdown.').default(60_000),
  restart: restart.prefault({}).describe('How crashed workers come back.'),
  browser: browser.prefault({}).describe('The browser of each worker.'),
  trace: text('File (.jsonl) or folder for the record of every step. Default: none.').optional(),
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
  const { maxWorkerMemory: soft, maxWorkerMemoryHard: hard } = options
  if (hard > 0 && hard <= soft) {
    object('maxWorkerMemoryHard', `must be more than maxWorkerMemory (${soft}), or 0`)
  }
  if (options.sequentialBelow > 0 && options.parallel === false) {
    object('sequentialBelow', 'is for a pool that may fork: leave out parallel: false')
  }
  if (options.sequentialBelow > 0 && (minWorkers !== undefined || maxWorkers !== undefined)) {
    object('sequentialBelow', 'grows into a fixed number: use workers, not minWorkers, maxWorkers')
  }
  if (options.standby > 0 && (options.parallel === false || options.sequentialBelow > 0)) {
    object('standby', 'is for a pool of processes: leave it out, or parallel and sequentialBelow')
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
      [Section in SectionName]: Options extends {
        [Key in Section]?: infer Inner
      }
        ? `${Section}.${string & keyof NonNullable<Inner>}`
        : never
    }[SectionName]
type SectionName = 'task' | 'browser' | 'restart' | 'deadLetters' | 'resultCache' | 'taskTypes'
true satisfies Agrees
