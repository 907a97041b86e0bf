/**
 * The options of a pool, as users read and write them. Types only: config/schema.ts checks them,
 * and does not compile unless it takes exactly these.
 */
import type { LogSink } from '../common/logger.ts'
import type { TaskOptions } from './task.ts'
import type { TaskTypesOptions } from './task-types.ts'

/**
 * What `createPoolActor` takes. Durations are in ms, sizes in bytes, shares from 0 to 1.
 *
 * @example
 * const options: PoolOptions = { tasks: new URL('../tasks.ts', import.meta.url), workers: 4 }
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
  /**
   * Spares, started and warm beside the workers: one takes the place of a worker that is lost, or
   * of one newly wanted, at once. They are let go while memory is short. Default 0.
   */
  standby?: number | undefined
  /** ms of low load after which an elastic pool has one worker less. Default 60,000. */
  idleTimeout?: number | undefined
  /** Tasks at once in a worker, each with its own tab, 1–256. Default 1. */
  concurrentTasksPerWorker?: number | undefined
  /** Tasks not yet ended; more are refused with QUEUE_FULL. Default 1,000,000. */
  maxQueue?: number | undefined
  /**
   * When the queue is full, `run` and `map` fail with QUEUE_FULL (`reject`, the default) or `wait`
   * for room. `submit` always refuses; `pool.accepting()` waits.
   */
  queueFull?: 'reject' | 'wait' | undefined
  /**
   * ms of waiting that count as much as one step of priority, so that no task waits for ever; 0:
   * priority is all. Default 10,000.
   */
  ageing?: number | undefined
  /**
   * Which worker gets the next task: each in its turn, the one with the least to do, or the one that
   * has been the fastest. Default `roundRobin`.
   */
  strategy?: 'roundRobin' | 'leastLoaded' | 'adaptive' | undefined
  /**
   * Tasks of one group that may run at once, 0 for no limit: a number for each group, or numbers by
   * group. `pool.setGroupLimit` changes it. Default 0.
   */
  groupConcurrency?: number | Record<string, number> | undefined
  /**
   * What the workers can do, for tasks that say what they require: all workers, or by slot, as `{
   * 'worker-1': ['vpn'] }`. Slots are those the pool always has.
   */
  capabilities?: string[] | Record<`worker-${number}`, string[]> | undefined
  /** Defaults for the options of every task. */
  task?: Omit<TaskOptions, 'id' | 'signal' | 'dependsOn' | 'deduplication' | 'cache'> | undefined
  /** Failed tasks that are kept, to be looked at and sent again. */
  deadLetters?: { max?: number | undefined } | undefined
  /**
   * The file in which tasks outlive the pool: a path, or one with how it is kept. Default: none.
   * See docs/durability.md.
   */
  store?: string | StoreOptions | undefined
  /** Where the results of tasks with the option `cache` are kept. */
  resultCache?: ResultCacheOptions | undefined
  /** What task types beside those of the task file may do. */
  taskTypes?: TaskTypesOptions | undefined
  /** Modules that bring task types of their own, made with `defineTaskType`. */
  plugins?: (URL | string)[] | undefined
  /**
   * A module that each worker loads before the task file. It may export `setup(context)` and
   * `teardown(context)`; a `setup` that fails keeps the pool from starting.
   */
  workerScript?: URL | string | undefined
  /**
   * False: one task at a time, in the pool's own process. `auto`: there only where the system grants
   * no process. Code that ignores its abort signal cannot be stopped there. Default true.
   */
  parallel?: boolean | 'auto' | undefined
  /**
   * The pool begins without a process and runs its tasks in its own, until more than this many have
   * not ended; then it grows into its `workers`, and stays so. 0: off. Default 0.
   */
  sequentialBelow?: number | undefined
  /** ms from a task's abort signal to the end of its worker. Default 5,000. */
  cancelGrace?: number | undefined
  /** A worker is replaced after this many tasks; 0: never. Default 0. */
  maxTasksPerWorker?: number | undefined
  /** ms after which a worker is replaced; 0: never. Default 0. */
  maxWorkerAge?: number | undefined
  /** Bytes at which a worker is replaced, with its browser; 0: never. Default 0. */
  maxWorkerMemory?: number | undefined
  /**
   * Bytes at which a process is killed, whatever it is doing; its tasks start again elsewhere. 0:
   * never. Default 0.
   */
  maxWorkerMemoryHard?: number | undefined
  /**
   * Bytes that must be free on the disks of the run folder and of `artifacts`. Below it no task is
   * started and no profile or artifact is written. 0: not looked at. Default 32 MiB.
   */
  diskFloor?: number | undefined
  /** Used share of memory at which idle workers are recycled; nearer the limit, no task starts. Default 0.75. */
  memoryThreshold?: number | undefined
  /** ms between two signs of life of a worker. Default 5,000. */
  heartbeatInterval?: number | undefined
  /** A worker silent for so many ms is killed. Default 30,000. */
  zombieAfter?: number | undefined
  /** ms for loading the task file, and again for opening the session. Default 30,000. */
  startTimeout?: number | undefined
  /** ms for closing one worker. Default 10,000. */
  closeTimeout?: number | undefined
  /** ms for draining at shutdown. Default 60,000. */
  drainTimeout?: number | undefined
  /** How crashed workers come back. */
  restart?: RestartOptions | undefined
  /** The browser of each worker. */
  browser?: BrowserOptions | undefined
  /**
   * Where every step of every actor is recorded: a file that ends in `.jsonl`, or a folder in which
   * each pool makes its own. Default: the environment's TROUPE_TRACE, or nowhere.
   */
  trace?: string | undefined
  /** How much is recorded and logged; `complete` also keeps the newest steps. Default `basic`. */
  observability?: 'basic' | 'detailed' | 'complete' | undefined
  /** A logger of your own (`console` will do), or none. Default: lines on stderr. */
  logger?: 'silent' | LogSink | undefined
  /** Shut down on SIGINT, SIGTERM and SIGHUP. Default true. */
  signals?: boolean | undefined
}

interface StoreOptions {
  /** One pool per file. */
  path: string
  /**
   * `each`: a task is on the disk when `submit` returns. `batched`: the tasks submitted in one turn
   * are synced together, and `handle.stored()` tells. Default `each`.
   */
  durability?: 'each' | 'batched' | undefined
  /** How long ended tasks can be looked up: ms and bytes. Default 7 days and 256 MiB. */
  retention?: { age?: number | undefined; bytes?: number | undefined } | undefined
  /** Bytes in the file at which `submit` refuses with STORE_FULL. Default 16 GiB. */
  maxBytes?: number | undefined
}

interface ResultCacheOptions {
  /** Bytes of all results; the least recently used go first. 0: none. Default 64 MiB. */
  maxBytes?: number | undefined
  /** ms a result is kept whose task does not say; 0: while there is room. Default 0. */
  ttl?: number | undefined
}

interface RestartOptions {
  /**
   * ms before a crashed worker starts again, from the second time in a row on: the first time in
   * `resetBackoffAfter` it starts at once. Default 200.
   */
  minBackoff?: number | undefined
  /** ms, the longest wait. Default 30,000. */
  maxBackoff?: number | undefined
  /** Share of the wait drawn at random. Default 0.2. */
  randomFactor?: number | undefined
  /** A worker that lived so many ms counts as one that never failed. Default 60,000. */
  resetBackoffAfter?: number | undefined
  /** Restarts per period before the breaker opens. Default max(5, 2 × workers). */
  intensity?: number | undefined
  /** ms, the window of `intensity`. Default 30,000. */
  period?: number | undefined
}

interface BrowserOptions {
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
