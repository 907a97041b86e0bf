/**
 * Runs what the pool orders and says how each attempt ended. An attempt ends once: with what its handler did, or with
 * the loss of its tab, or, once the pool has asked for its stop, only with its handler, for then its end is the proof
 * that its code has stopped. It owns no browser and no timer of its own but the grace of an aborted attempt.
 */
import type { CancelReason, SerializedError, Verdict } from '../../../machines/protocol.ts'
import { TroupeError } from '../../common/errors.ts'
import type { RunOrder } from '../../process/ipc/protocol.ts'
import { MapCompactor } from '../../common/map-compactor.ts'
import { snapshot } from '../../values/snapshot.ts'
import type { Handler, PlainHandler } from '../../task/context.ts'
import { escalate } from './escalation.ts'
import { Attempt, stopErrorOf } from './attempt.ts'
import { boundedError } from '../error-bounds.ts'
import { succeeds } from '../time-limit.ts'
import type { TabRequest, SessionHost } from '../session/session-host.ts'
import { SessionExpired } from '../session/session-memory.ts'
import type { TabLease } from '../browser/tab-set.ts'
import { BrowserContext, type Ground, PlainContext } from './task-context.ts'
import type { LoadedTask } from '../task-file.ts'

/** So often in a row may one task say here that the login is gone before that counts as its failure. */
const MAX_EXPIRIES = 3
/** How long a failed task's tab may take to show that it lives. */
const ANSWER_LIMIT_MS = 500
/** Tasks whose expiries are remembered. */
const MAX_EXPIRED_TASKS = 1_000

interface BrowserRun extends TabRequest {
  readonly attempt: Attempt
  lease: TabLease | null
}

export class TaskRunner {
  /** Null as long as this worker has no browser. */
  host: SessionHost | null = null
  readonly #tasks: ReadonlyMap<string, LoadedTask>
  readonly #ground: Ground
  #live = new Map<string, Attempt>()
  readonly #compactor = new MapCompactor()
  readonly #runs = new Map<Attempt, BrowserRun>()
  readonly #expiries = new Map<string, number>()

  constructor(tasks: ReadonlyMap<string, LoadedTask>, ground: Ground) {
    this.#tasks = tasks
    this.#ground = ground
  }

  /** Tells all attempts to stop, and hears nothing of them any more. */
  abandon(): void {
    this.host = null
    const error = new TroupeError('WORKER_LOST', 'the worker was ended')
    for (const attempt of this.#live.values()) attempt.abort(error)
  }

  /** Attempts that have not ended. */
  get running(): number {
    return this.#live.size
  }

  run(order: RunOrder): void {
    const attempt = new Attempt(order)
    const task = this.#tasks.get(order.name)
    if (task === undefined)
      return this.#end(attempt, 'permanent', undefined, this.#unknown(order.name))
    if (this.#live.has(order.taskId)) {
      this.#ground.outbox.log('error', 'An order for a task that already runs here was ignored.', {
        taskId: order.taskId,
      })
      return
    }
    this.#live.set(order.taskId, attempt)
    if (task.browser) this.#runInTab(attempt, task.handler)
    else void this.#runPlain(attempt, task.handler)
  }

  abort(token: number, reason: CancelReason, graceMs: number): void {
    const attempt = [...this.#live.values()].find((one) => one.token === token)
    if (attempt === undefined) return
    attempt.stop(reason)
    const run = this.#runs.get(attempt)
    if (run === undefined) return
    if (run.lease === null) {
      this.host?.withdraw(run)
      this.#fail(attempt, undefined)
      return
    }
    setTimeout(() => this.#force(run), graceMs).unref()
  }

  async #runPlain(attempt: Attempt, handler: PlainHandler): Promise<void> {
    this.#ground.outbox.noteStart(attempt)
    attempt.startedMs = performance.now()
    try {
      const returned: unknown = handler(new PlainContext(attempt, this.#ground))
      // At once where it can be: the next task may go on with the same object.
      this.#succeed(attempt, isPending(returned) ? await returned : returned)
    } catch (thrown) {
      this.#fail(attempt, thrown)
    }
  }

  #runInTab(attempt: Attempt, handler: Handler): void {
    if (this.host === null) {
      const message = `The task "${attempt.name}" needs a browser, and this worker was opened without one.`
      const error = new TroupeError('BROWSER_NOT_FOUND', message)
      return this.#end(attempt, 'permanent', undefined, boundedError(error))
    }
    const run: BrowserRun = {
      attempt,
      lease: null,
      onLease: (lease) => void this.#begin(run, lease, handler),
      onRefused: (error) => this.#lose(run, error),
    }
    this.#runs.set(attempt, run)
    this.host.request(run)
  }

  #losing(run: BrowserRun): () => void {
    return () => this.#lose(run, lossOf(run.attempt))
  }

  async #begin(run: BrowserRun, lease: TabLease, handler: Handler): Promise<void> {
    const { attempt } = run
    run.lease = lease
    lease.onLost = this.#losing(run)
    this.#ground.outbox.push({ kind: 'started', token: attempt.token })
    // Now, for its timeout begins with it: a handler may block this process with its first step.
    this.#ground.outbox.flush()
    attempt.startedMs = performance.now()
    try {
      this.#succeed(attempt, await handler(new BrowserContext(attempt, this.#ground, lease.tab)))
    } catch (thrown) {
      // A crash rejects what the handler waits for a moment before it is known as a crash.
      const { tab } = lease
      if (attempt.stopReason === null && tab.answers) await succeeds(ANSWER_LIMIT_MS, tab.answers())
      this.#fail(attempt, thrown)
    }
    this.host?.release(lease)
  }

  /** The tab or the browser is gone. A stopped attempt still waits for its handler. */
  #lose(run: BrowserRun, error: TroupeError): void {
    const { attempt } = run
    if (attempt.ended || attempt.stopReason !== null) return
    this.#end(attempt, 'retryable', undefined, boundedError(error))
    attempt.abort(error)
    if (run.lease !== null) this.host?.release(run.lease)
  }

  #force(run: BrowserRun): void {
    const { host } = this
    if (run.lease === null || host === null || run.attempt.ended) return
    void escalate(run.attempt, run.lease, host)
  }

  #succeed(attempt: Attempt, value: unknown): void {
    if (attempt.ended) return
    if (attempt.stopReason !== null) return this.#fail(attempt, undefined)
    try {
      const result = snapshot(value, 'result')
      this.#end(attempt, 'ok', result.value, undefined, result.bytes)
    } catch (refused) {
      this.#end(attempt, 'permanent', undefined, boundedError(refused))
    }
  }

  #fail(attempt: Attempt, thrown: unknown): void {
    if (attempt.ended) return
    if (attempt.stopReason !== null) {
      const error = stopErrorOf(attempt.stopReason, thrown)
      return this.#end(attempt, 'cancelled', undefined, boundedError(error))
    }
    if (thrown instanceof SessionExpired) return this.#expire(attempt, thrown)
    const isPermanent = Reflect.get(Object(thrown), 'retryable') === false
    this.#end(attempt, isPermanent ? 'permanent' : 'retryable', undefined, boundedError(thrown))
  }

  /** Released while logging in again may help; a failure once it has not helped. */
  #expire(attempt: Attempt, thrown: SessionExpired): void {
    const count = (this.#expiries.get(attempt.taskId) ?? 0) + 1
    const helps = this.host !== null && this.host.hasLogin && count <= MAX_EXPIRIES
    if (helps) {
      for (const oldest of this.#expiries.keys()) {
        if (this.#expiries.size < MAX_EXPIRED_TASKS) break
        this.#expiries.delete(oldest)
      }
      this.#expiries.set(attempt.taskId, count)
      this.host?.expire()
    }
    this.#end(attempt, helps ? 'released' : 'retryable', undefined, boundedError(thrown))
  }

  #end(
    attempt: Attempt,
    verdict: Verdict,
    value: unknown,
    error: SerializedError | undefined,
    bytes = 0,
  ): void {
    if (this.#live.get(attempt.taskId) === attempt) this.#live.delete(attempt.taskId)
    if (this.#compactor.isOver(this.#live.size)) this.#live = new Map(this.#live)
    this.#runs.delete(attempt)
    if (verdict !== 'released' && this.#expiries.size > 0) this.#expiries.delete(attempt.taskId)
    attempt.end()
    const { token, startedMs } = attempt
    const runMs = startedMs === 0 ? 0 : performance.now() - startedMs
    const how = error === undefined ? { value } : { error }
    this.#ground.outbox.ended({ token, runMs, verdict, ...how }, bytes)
  }

  #unknown(name: string): SerializedError {
    const known = [...this.#tasks]
      .flatMap(([own, { builtIn }]) => (builtIn ? [] : [own]))
      .join(', ')
    const message = `The task file defines no task "${name}". It defines: ${known}.`
    return boundedError(new TroupeError('TASK_UNKNOWN', message))
  }
}

function isPending(returned: unknown): boolean {
  return typeof (returned as PromiseLike<unknown> | null | undefined)?.then === 'function'
}

function lossOf(attempt: Attempt): TroupeError {
  const message = `The browser or the tab of the task "${attempt.name}" was lost while it ran.`
  return new TroupeError('BROWSER_LOST', message)
}
