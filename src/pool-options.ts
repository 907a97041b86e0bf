/**
 * The options of a pool, as users read and write them. Types only: config-schema.ts checks them,
 * and does not compile unless it takes exactly these.
 */
import type { LogSink } from './logger.ts'
import type { TaskOptions } from './pool-types.ts'

/**
 * What `createPoolActor` takes. Durations are in ms, sizes in bytes, shares from 0 to 1.
 *
 * @example
 * const options: PoolOptions = { tasks: new URL('./tasks.ts', import.meta.url), workers: 4 }
 */
export interface PoolOptions {
  /** The task file: a URL, or a path relative to the working folder. */
  tasks: URL | string
  /** Folder for files that tasks produce. Default: in the run folder, which ends with the pool. */
  artifacts?: string | undefined
  /** Folder in which the pool makes its run folder. Default: a private one for temporary files. */
  runFolder?: string | undefined
  /** Worker processes, 1–64. Default: one per core, 4 at most. */
  workers?: number | undefined
  /** Instead of `workers`: never fewer. Default 1. */
  minWorkers?: number | undefined
  /** Instead of `workers`: never more. Default: one per core, 4 at most. */
  maxWorkers?: number | undefined
  /** Tasks at once in a worker, each with its own tab, 1–256. Default 1. */
  concurrentTasksPerWorker?: number | undefined
  /** Tasks not yet ended; more are refused with QUEUE_FULL. Default 1,000,000. */
  maxQueue?: number | undefined
  /** Defaults for the options of every task. */
  task?: Omit<TaskOptions, 'id' | 'signal'> | undefined
  /** False: one task at a time in the whole pool. Default true. */
  parallel?: boolean | undefined
  /** ms from a task's abort signal to the end of its worker. Default 5,000. */
  cancelGrace?: number | undefined
  /** A worker is replaced after this many tasks; 0: never. Default 0. */
  maxTasksPerWorker?: number | undefined
  /** ms after which a worker is replaced; 0: never. Default 0. */
  maxWorkerAge?: number | undefined
  /** Bytes at which a worker is replaced, with its browser; 0: never. Default 0. */
  maxWorkerMemory?: number | undefined
  /** Used share of memory at which idle workers are recycled; nearer the limit, no task starts. Default 0.75. */
  memoryThreshold?: number | undefined
  /** ms between two signs of life of a worker. Default 5,000. */
  heartbeatInterval?: number | undefined
  /** A worker silent for so many ms is killed. Default 30,000. */
  zombieAfter?: number | undefined
  /** ms from fork to a ready session. Default 30,000. */
  startTimeout?: number | undefined
  /** ms for closing one worker. Default 10,000. */
  closeTimeout?: number | undefined
  /** ms for draining at shutdown. Default 60,000. */
  drainTimeout?: number | undefined
  /** How crashed workers come back. */
  restart?: RestartOptions | undefined
  /** The browser of each worker. */
  browser?: BrowserOptions | undefined
  /** How much is recorded and logged. Default `basic`. */
  observability?: 'basic' | 'detailed' | 'complete' | undefined
  /** A logger of your own (`console` will do), or none. Default: lines on stderr. */
  logger?: 'silent' | LogSink | undefined
  /** Shut down on SIGINT, SIGTERM and SIGHUP. Default true. */
  signals?: boolean | undefined
}

export interface RestartOptions {
  /** ms before a crashed worker starts again, the first time. Default 200. */
  minBackoff?: number | undefined
  /** ms, the longest wait. Default 30,000. */
  maxBackoff?: number | undefined
  /** Share of the wait drawn at random. Default 0.2. */
  randomFactor?: number | undefined
  /** A worker that lived so many ms starts from minBackoff again. Default 60,000. */
  resetBackoffAfter?: number | undefined
  /** Restarts per period before the breaker opens. Default max(5, 2 × workers). */
  intensity?: number | undefined
  /** ms, the window of `intensity`. Default 30,000. */
  period?: number | undefined
}

export interface BrowserOptions {
  /** Path of the Chromium to start. Default: one is looked for. */
  executablePath?: string | undefined
  /** Default true. */
  headless?: boolean | undefined
  /** Further command line switches, as `--lang=en`. */
  args?: string[] | undefined
  /** Folder that each worker gets a clone of as its profile. */
  baseProfile?: string | undefined
  /** Bytes a profile may grow to. Default 100 MiB. */
  maxProfileBytes?: number | undefined
  /** Module that exports a BrowserDriver of your own. */
  driver?: URL | string | undefined
  /**
   * `session`: cookies persist in a worker; `context`: a clean context per task. Default session.
   */
  isolation?: 'session' | 'context' | undefined
  /** ms a launch may take. Default 20,000. */
  launchTimeout?: number | undefined
}
