/**
 * The methods of a pool over its actor: submit, run, map, pause, scale, drain, shut down, look. It
 * checks what comes in and waits for what the machine says; it holds no state of its own.
 */
import { nanoid } from 'nanoid'
import { waitFor } from 'xstate'
import type { PoolEvent } from '../machines/pool-facts.ts'
import type { CancelReason } from '../machines/vocabulary.ts'
import { fromErrorFacts, TroupeError, type TroupeErrorCode } from './errors.ts'
import type { Ledger } from './ledger/ledger.ts'
import { TaskRecord } from './ledger/record.ts'
import { checkPayload } from './payload.ts'
import type { PoolMachineActor, PoolRuntime } from './pool-runtime.ts'
import { poolStatus } from './pool-status.ts'
import type {
  MapOptions,
  PoolEvents,
  PoolStatus,
  TaskHandle,
  TaskOptions,
  TaskOutcome,
} from './pool-types.ts'
import { MAX_WORKERS } from './config-schema.ts'
import { Handle, resultOf, watchOf } from './task-handle.ts'
import { mapTasks } from './task-map.ts'
import { parseMapOptions, parseTaskOptions } from './task-options.ts'

type Command = Extract<PoolEvent, { type: `pool.${string}` }>

export class PoolClient {
  readonly #actor: PoolMachineActor
  readonly #runtime: PoolRuntime
  readonly #cancel = (record: TaskRecord, reason: CancelReason) =>
    this.#runtime.tellLedger({ type: 'task.cancel', record, reason })

  constructor(actor: PoolMachineActor, runtime: PoolRuntime) {
    this.#actor = actor
    this.#runtime = runtime
  }

  submit(name: string, payload: unknown, options?: TaskOptions): TaskHandle {
    return new Handle(this.#accept(name, payload, options), this.#cancel)
  }

  async run(name: string, payload: unknown, options?: TaskOptions): Promise<unknown> {
    return resultOf(this.#accept(name, payload, options))
  }

  map(
    name: string,
    payloads: Iterable<unknown> | AsyncIterable<unknown>,
    options?: MapOptions,
  ): AsyncGenerator<TaskOutcome, void, undefined> {
    const { config } = this.#runtime
    const { task, concurrency, ordered } = parseMapOptions(options, config.task)
    const seats = config.maxWorkers * config.concurrentTasksPerWorker
    return mapTasks(payloads, {
      concurrency: Math.min(concurrency ?? 2 * seats, config.maxQueue),
      ordered,
      submit: (payload) => this.submit(name, payload, task as TaskOptions),
    })
  }

  pause(): void {
    this.#command({ type: 'pool.pause' }, 'pause')
  }

  resume(): void {
    this.#command({ type: 'pool.resume' }, 'resume')
  }

  recover(): void {
    this.#command({ type: 'pool.recover' }, 'recover')
  }

  async scale(workers: number): Promise<void> {
    const { minWorkers, maxWorkers } = this.#runtime.config
    const [least, most] = minWorkers === maxWorkers ? [1, MAX_WORKERS] : [minWorkers, maxWorkers]
    if (!Number.isInteger(workers) || workers < least || workers > most) {
      const message = `workers: must be a whole number from ${least} to ${most}, not ${workers}`
      throw new TroupeError('CONFIG_INVALID', message)
    }
    this.#command({ type: 'pool.scale', workers }, 'scale')
    this.#runtime.news.tell('pool.scaled', () => ({ workers }))
    await this.#until(
      ({ value, context }) =>
        !isUp(value) ||
        context.size !== workers ||
        (context.alive.length === workers &&
          context.ready.length + context.failed.length >= workers),
    )
  }

  async drain(): Promise<void> {
    if (isStarting(this.#actor.getSnapshot().value)) {
      await this.#until(({ value }) => !isStarting(value))
    }
    if (!this.#actor.getSnapshot().matches({ running: 'draining' })) {
      this.#command({ type: 'pool.drain' }, 'drain')
    }
    await this.#until((snapshot) => !isDraining(snapshot))
  }

  async shutdown(options: { readonly force?: boolean } = {}): Promise<void> {
    const snapshot = this.#actor.getSnapshot()
    if (snapshot.status !== 'active' || snapshot.value === 'idle') return
    this.#actor.send({ type: 'pool.stop', force: options.force ?? false })
    await this.#until(({ value }) => value !== 'stopping')
    await this.#runtime.logger.flush()
  }

  status(): PoolStatus {
    const { value, context } = this.#actor.getSnapshot()
    return poolStatus(this.#runtime, {
      state: stateName(value),
      size: context.size,
      error: context.error?.message ?? null,
    })
  }

  listen<T extends keyof PoolEvents>(type: T, listener: (event: PoolEvents[T]) => void) {
    return this.#runtime.news.on(type, listener)
  }

  /** Everything that can be wrong with a task is found here, before anything is started for it. */
  #accept(name: string, payload: unknown, input: TaskOptions | undefined): TaskRecord {
    const { runtime, ledger } = this.#intake(name, payload)
    const options = parseTaskOptions(input, runtime.config.task)
    checkPayload(payload)
    const id = options.id ?? nanoid()
    const task = { id, name, payload }
    if (options.id !== undefined && ledger.has(id)) {
      throw new TroupeError('CONFIG_INVALID', `id: a task ${id} has not ended yet`, { task })
    }
    if (ledger.counts.pending >= runtime.config.maxQueue) {
      const { maxQueue } = runtime.config
      runtime.news.tell('queue.full', () => ({ maxQueue }))
      throw new TroupeError('QUEUE_FULL', `the queue holds its limit of ${maxQueue} tasks`, {
        task,
      })
    }
    const record = new TaskRecord(id, name, payload, options, runtime.clock.nowMs())
    // Counted in at once: a listener may submit while the ledger is in the middle of an event.
    ledger.admit(record)
    runtime.tellLedger({ type: 'task.submitted', record })
    if (options.signal !== undefined) this.#follow(options.signal, record)
    return record
  }

  #intake(name: string, payload: unknown): { runtime: PoolRuntime; ledger: Ledger } {
    const runtime = this.#runtime
    const { ledger } = runtime
    const { value, context, status } = this.#actor.getSnapshot()
    const task = { id: '', name, payload }
    if (status !== 'active' || ledger === null || !isUp(value)) {
      const code: TroupeErrorCode = value === 'stopping' ? 'DRAINING' : 'POOL_CLOSED'
      const cause = context.error === null ? undefined : fromErrorFacts(context.error)
      const message = `the pool takes no tasks: it is ${stateName(value)}`
      throw new TroupeError(code, message, { task, ...(cause ? { cause } : {}) })
    }
    if (isDraining({ value })) {
      throw new TroupeError('DRAINING', 'the pool is draining: come back when it is done', { task })
    }
    const { manifest } = runtime.workers
    if (manifest !== null && !manifest.has(name)) {
      const known = [...manifest.keys()].join(', ')
      throw new TroupeError('TASK_UNKNOWN', `there is no task "${name}"; known: ${known}`, { task })
    }
    return { runtime, ledger }
  }

  #follow(signal: AbortSignal, record: TaskRecord): void {
    const cancel = () => this.#cancel(record, 'requested')
    if (signal.aborted) return cancel()
    signal.addEventListener('abort', cancel, { once: true })
    watchOf(record).ended.push(() => signal.removeEventListener('abort', cancel))
  }

  /** Waits for what the machine says, and keeps the host alive meanwhile. */
  async #until(isIt: (snapshot: PoolSnapshot) => boolean): Promise<void> {
    await this.#runtime.business.during(waitFor(this.#actor, isIt))
  }

  #command(event: Command, name: string): void {
    const snapshot = this.#actor.getSnapshot()
    if (!snapshot.can(event)) {
      const state = stateName(snapshot.value)
      throw new TroupeError('STATE_INVALID', `cannot ${name} a pool that is ${state}`)
    }
    this.#actor.send(event)
  }
}

type PoolSnapshot = ReturnType<PoolMachineActor['getSnapshot']>
export type PoolValue = PoolSnapshot['value']

export function stateName(value: PoolValue): PoolStatus['state'] {
  return (typeof value === 'string' ? value : Object.keys(value)[0]) as PoolStatus['state']
}

function isUp(value: PoolValue): boolean {
  return ['starting', 'running', 'paused'].includes(stateName(value))
}

function isStarting(value: PoolValue): boolean {
  return stateName(value) === 'starting'
}

function isDraining({ value }: { value: PoolValue }): boolean {
  return typeof value === 'object' && 'running' in value && value.running === 'draining'
}
