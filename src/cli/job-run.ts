/**
 * Feeds jobs to a pool and writes down how each ended: a bounded number under way, a stop that lets
 * what runs finish, a kill that does not. It knows nothing of terminals, signals or exit codes.
 */
import { isTroupeError, TroupeError, type TroupeErrorCode } from '../common/errors.ts'
import type { PoolEvents } from '../api/events.ts'
import type { PoolStatus } from '../api/status.ts'
import type { TaskHandle, TaskOutcome, TaskState } from '../api/task.ts'
import type { BadJob, Job } from './job-source.ts'
import { refusedResult, resultOf } from './result-line.ts'
import type { ResultSink } from './result-sink.ts'
import type { Tally } from './tally.ts'

/** The part of a pool that a run uses. */
export interface RunPool {
  start(): unknown
  submit(name: string, payload: unknown, options: { id: string }): TaskHandle
  find(id: string): Promise<TaskHandle | null>
  status(): PoolStatus
  on<Type extends 'task.retried' | 'pool.changed' | 'worker.failed'>(
    type: Type,
    listener: (event: PoolEvents[Type]) => void,
  ): unknown
  shutdown(options?: { force?: boolean }): Promise<unknown>
}

interface JobRunOptions {
  readonly pool: RunPool
  readonly task: string
  readonly sink: ResultSink
  readonly tally: Tally
  readonly maxFailures: number
  /** Ids that succeeded in an earlier run. */
  readonly finished: ReadonlySet<string>
  /** Asks the pool first: its store may have the job from a run that was killed. */
  readonly recall: boolean
  /** Jobs handed to the pool and not yet ended, at most. */
  readonly window: number
  /** A row that cannot be read ends the run when it is the very first. */
  readonly firstRowDecides: boolean
  readonly onFailure: (id: string, code: string, message: string, attempts: number) => void
}

/** These mean that no job can succeed: the run ends instead of failing them one by one. */
const FATAL: ReadonlySet<string> = new Set<TroupeErrorCode>([
  'TASK_UNKNOWN',
  'CONFIG_INVALID',
  'BROWSER_NOT_FOUND',
  'WORKER_START_FAILED',
  'PROFILE_FAILED',
  'RESTARTS_EXHAUSTED',
  'POOL_CLOSED',
])

export class JobRun {
  readonly #options: JobRunOptions
  readonly #underWay = new Map<string, TaskHandle>()
  readonly #changed = new Set<() => void>()
  #source: AsyncIterator<Job | BadJob> | null = null
  #started = false
  #stopping = false
  #rows = 0
  #workerError: TroupeError | null = null
  #error: TroupeError | null = null

  constructor(options: JobRunOptions) {
    this.#options = options
  }

  /** What ended the run before its time, if something did. */
  get error(): TroupeError | null {
    return this.#error
  }

  get started(): boolean {
    return this.#started
  }

  /** Tasks that a worker has. */
  get running(): number {
    return [...this.#underWay.values()].filter((handle) => !waits(handle)).length
  }

  /**
   * Runs the jobs until all have ended or the run was stopped. Never rejects: see `error`.
   *
   * @param release ends a read that may wait for ever, as on stdin.
   */
  async run(jobs: AsyncIterable<Job | BadJob>, release: () => void): Promise<void> {
    this.#changed.add(() => this.#stopping && release())
    try {
      await this.#feed(jobs[Symbol.asyncIterator]())
    } catch (error) {
      // Taking the input away makes the read fail: that is how it was stopped.
      if (!this.#stopping) this.fail(error)
    }
    await this.#until(() => this.#underWay.size === 0)
  }

  /** Starts nothing more. What runs goes on to its end; what waits is given back. */
  stop(): void {
    if (this.#stopping) return
    this.#stopping = true
    for (const handle of this.#underWay.values()) this.#giveBack(handle)
    this.#notify()
  }

  /** Ends the run because of an error: nothing more can succeed. */
  fail(error: unknown): void {
    this.#error ??= causeOf(error)
    this.stop()
    // What still runs cannot be waited for in a pool that has failed.
    const isFatal = FATAL.has(this.#error.code)
    if (isFatal && this.#started) void this.#options.pool.shutdown({ force: true })
  }

  async #feed(jobs: AsyncIterator<Job | BadJob>): Promise<void> {
    this.#source = jobs
    while (!this.#stopping) {
      const next = await this.#source.next()
      if (next.done || this.#stopping) break
      this.#rows++
      if (next.value.kind === 'job') await this.#offer(next.value)
      else await this.#refuse(next.value)
    }
  }

  async #offer(job: Job): Promise<void> {
    const { finished, tally, window } = this.#options
    if (finished.has(job.id)) {
      tally.skipped++
      return
    }
    await this.#until(() => this.#underWay.size < window || this.#stopping)
    if (this.#stopping) {
      tally.notRun++
      return
    }
    this.#start()
    this.#submit(job, this.#options.recall ? await this.#recalled(job.id) : null)
  }

  /** The task of an earlier run that goes on, or has succeeded without its result written down. */
  async #recalled(id: string): Promise<TaskHandle | null> {
    const handle = await this.#options.pool.find(id)
    const state = handle?.status().state
    return state === 'failed' || state === 'cancelled' ? null : handle
  }

  #submit(job: Job, recalled: TaskHandle | null): void {
    try {
      const { pool, task } = this.#options
      const handle = recalled ?? pool.submit(task, job.payload, { id: job.id })
      this.#underWay.set(job.id, handle)
      void handle.outcome().then((outcome) => this.#settle(outcome))
    } catch (error) {
      if (!isTroupeError(error, 'PAYLOAD_INVALID')) throw error
      const { id } = job
      void this.#record(refusedResult(id, error.code, error.message), error.message)
    }
  }

  async #refuse(bad: BadJob): Promise<void> {
    if (this.#rows === 1 && this.#options.firstRowDecides) {
      this.fail(new TroupeError('PAYLOAD_INVALID', bad.message))
      return
    }
    await this.#record(refusedResult(bad.id, 'PAYLOAD_INVALID', bad.message), bad.message)
  }

  #start(): void {
    if (this.#started) return
    this.#started = true
    const { pool } = this.#options
    pool.on('worker.failed', ({ error }) => {
      this.#workerError ??= error
    })
    pool.on('pool.changed', ({ state }) => {
      if (state !== 'error') return
      // The tasks that waited have failed with the cause itself, and say so first.
      setImmediate(() => this.fail(this.#workerError ?? poolError(pool.status())))
    })
    // A retry would start again what is to be finished: while stopping there are none.
    pool.on('task.retried', ({ taskId }) => {
      if (this.#stopping) this.#underWay.get(taskId)?.cancel()
    })
    pool.start()
  }

  async #settle(outcome: TaskOutcome): Promise<void> {
    const { tally } = this.#options
    tally.attempts += outcome.attempts
    if (outcome.status === 'cancelled' || (this.#error && outcome.attempts === 0)) tally.notRun++
    else if (outcome.status === 'failed' && FATAL.has(outcome.error.code)) {
      tally.notRun++
      this.fail(outcome.error)
    } else {
      const message = outcome.status === 'failed' ? outcome.error.message : ''
      await this.#record(resultOf(outcome), message)
    }
    this.#underWay.delete(outcome.taskId)
    this.#notify()
  }

  async #record(result: ReturnType<typeof resultOf>, message: string): Promise<void> {
    const { tally, sink, onFailure, maxFailures } = this.#options
    if (result.error) {
      tally.fail(result.error.code)
      onFailure(result.id, result.error.code, message, result.attempts)
    } else tally.succeeded++
    if (tally.failed >= maxFailures) this.stop()
    try {
      await sink.write(result)
    } catch (error) {
      this.fail(error)
    }
  }

  #giveBack(handle: TaskHandle): void {
    if (waits(handle)) handle.cancel()
  }

  async #until(condition: () => boolean): Promise<void> {
    if (condition()) return
    await new Promise<void>((resolve) => {
      const check = () => {
        if (!condition()) return
        this.#changed.delete(check)
        resolve()
      }
      this.#changed.add(check)
    })
  }

  #notify(): void {
    for (const listener of this.#changed) listener()
  }
}

/** A pool that takes no tasks names the reason as the cause. */
function causeOf(error: unknown): TroupeError {
  if (!isTroupeError(error)) {
    return new TroupeError('TASK_FAILED', (error as Error).message, { cause: error })
  }
  return error.code === 'POOL_CLOSED' && isTroupeError(error.cause) ? error.cause : error
}

const WAITING: ReadonlySet<TaskState> = new Set(['blocked', 'delayed', 'queued', 'backingOff'])
const ENDED: ReadonlySet<TaskState> = new Set(['succeeded', 'failed', 'cancelled'])

/** In no worker's hands: not there yet, or no longer. */
function waits(handle: TaskHandle): boolean {
  const { state } = handle.status()
  return WAITING.has(state) || ENDED.has(state)
}

function poolError(status: PoolStatus): TroupeError {
  return new TroupeError('WORKER_START_FAILED', status.lastError ?? 'the pool has failed')
}
