/**
 * The methods of a pool over its actor: submit, run, map, pause, scale, drain, shut down, look. It
 * checks what comes in and waits for what the machine says; it holds no state of its own.
 */
import { waitFor } from 'xstate'
import type { PoolEvent } from '../../machines/pool.setup.ts'
import { TroupeError } from '../common/errors.ts'
import { refuse, wholeNumber } from '../common/checks.ts'
import { DeadLetterApi } from './admission/dead-letters.ts'
import { type Accepted, PoolIntake, requestFor, requestOf } from './admission/admission.ts'
import type { MemoryLevel } from './observe/memory-listeners.ts'
import type { PoolRuntime } from './runtime.ts'
import {
  type PoolMachineActor,
  isDraining,
  isEnding,
  isStarting,
  isUp,
  type PoolSnapshot,
  stateName,
} from './states.ts'
import { whenStored } from './store-lifecycle.ts'
import { poolResults, poolStatus } from './observe/status.ts'
import type { GroupUsage, PoolResults, PoolStatus } from '../api/status.ts'
import type {
  MapOptions,
  PoolDeadLetters,
  TaskHandle,
  TaskOptions,
  TaskOutcome,
  TaskRequest,
} from '../api/task.ts'
import type { PoolEvents } from '../api/events.ts'
import { MAX_WORKERS } from '../config/schema.ts'
import { type Groups } from '../ledger/queue/groups.ts'
import { MAX_GROUP_LIMITS } from '../common/limits.ts'
import { requireGroupLimit } from '../config/order-schema.ts'
import { Handle, type HandleActions, resultOf } from '../ledger/task/handle.ts'
import { mapTasks } from '../task/map.ts'
import { parseMapOptions } from '../config/task-options.ts'
import type { Subscription } from './observe/emitter.ts'

type Command = Extract<PoolEvent, { type: `pool.${string}` }>

export class PoolClient {
  readonly #actor: PoolMachineActor
  readonly #runtime: PoolRuntime
  readonly #actions: HandleActions
  readonly #intake: PoolIntake
  readonly deadLetters: PoolDeadLetters

  constructor(actor: PoolMachineActor, runtime: PoolRuntime) {
    this.#actor = actor
    this.#runtime = runtime
    runtime.router.register('pool', actor)
    const intake = new PoolIntake(actor, runtime)
    this.#intake = intake
    this.#actions = {
      cancel: (record, reason) => intake.cancel(record, reason),
      stored: (record) => whenStored(runtime.ledger?.gate ?? null, record),
      timers: runtime.world.waitClock,
    }
    this.deadLetters = new DeadLetterApi(runtime, (request) => this.#handle(intake.accept(request)))
  }

  submit(name: string, payload: unknown, options?: TaskOptions): TaskHandle {
    return this.#handle(this.#intake.accept(requestFor(name, payload, options)))
  }

  submitAll(tasks: readonly TaskRequest[]): TaskHandle[] {
    if (!Array.isArray(tasks)) refuse('tasks', 'must be an array', tasks)
    const accepted = this.#intake.acceptAll(tasks.map(requestOf))
    return accepted.map((one) => this.#handle(one))
  }

  run(name: string, payload: unknown, options?: TaskOptions): Promise<unknown> {
    try {
      const accepted = this.#intake.acceptSoon(requestFor(name, payload, options))
      if (accepted instanceof Promise) return accepted.then(({ record }) => resultOf(record))
      return resultOf(accepted.record)
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  accepting(): Promise<void> {
    return this.#intake.accepting()
  }

  map(
    name: string,
    payloads: Iterable<unknown> | AsyncIterable<unknown>,
    options?: MapOptions,
  ): AsyncGenerator<TaskOutcome, void, undefined> {
    const { config } = this.#runtime
    const { taskFor, concurrency, ordered } = parseMapOptions(options, config.task)
    const workers = config.maxWorkers * config.concurrentTasksPerWorker
    return mapTasks(payloads, {
      concurrency: Math.min(concurrency ?? 2 * workers, config.maxQueue),
      ordered,
      submit: async (payload) => {
        const request = { name, payload, options: () => taskFor(payload) }
        const accepted = await this.#intake.acceptSoon(request)
        return { handle: this.#handle(accepted), isNew: accepted.isNew }
      },
    })
  }

  async find(id: string): Promise<TaskHandle | null> {
    const record = this.#runtime.ledger?.find(id) ?? null
    return record === null ? null : new Handle(record, this.#actions)
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
    this.#runtime.router.send('client', 'ledger', { type: 'slots.changed' })
    await this.#until(
      ({ value, context }) =>
        !isUp(value) ||
        context.size !== workers ||
        (context.alive.length === workers + context.spares.length &&
          context.serving.every(
            (slot) => context.ready.includes(slot) || context.failed.includes(slot),
          )),
    )
  }

  setGroupLimit(group: string, limit: number): void {
    requireGroupLimit(group, limit)
    if (!this.#groups.canLimit(group)) {
      throw new TroupeError('CONFIG_INVALID', `group: ${MAX_GROUP_LIMITS} have a limit already`)
    }
    this.#runtime.router.send('client', 'ledger', { type: 'group.limited', group, limit })
  }

  groupUsage(group: string): GroupUsage {
    return this.#groups.usageOf(group)
  }

  get #groups(): Groups {
    const { ledger } = this.#runtime
    if (ledger !== null) return ledger.dispatch.queue.groups
    throw new TroupeError('STATE_INVALID', 'groups are known once the pool was started')
  }

  scaleUp(by = 1): Promise<void> {
    return this.scale(this.#size + wholeNumber('by', by, 1, MAX_WORKERS))
  }

  scaleDown(by = 1): Promise<void> {
    return this.scale(this.#size - wholeNumber('by', by, 1, MAX_WORKERS))
  }

  get #size(): number {
    return this.#actor.getSnapshot().context.size
  }

  onMemory(ratio: number, listener: (level: MemoryLevel) => void): { unsubscribe(): void } {
    return this.#runtime.watch.edges.add(ratio, listener)
  }

  async drain(): Promise<void> {
    if (isStarting(this.#actor.getSnapshot().value)) {
      await this.#until(({ value }) => !isStarting(value))
    }
    if (!isDraining(this.#actor.getSnapshot())) {
      this.#command({ type: 'pool.drain' }, 'drain')
    }
    // Whoever pauses it meanwhile has not ended it: its tasks go on with the resume.
    await this.#until((snapshot) => !isDraining(snapshot))
  }

  backup(path: string): Promise<void> {
    return this.#runtime.pendingWork.during(this.#runtime.store.backup(path))
  }

  cleanProfiles(): Promise<readonly string[]> {
    return this.#runtime.workers.cleanProfiles()
  }

  async shutdown(options: { readonly force?: boolean } = {}): Promise<void> {
    const snapshot = this.#actor.getSnapshot()
    if (snapshot.status === 'error') return this.#runtime.workers.endAll()
    if (snapshot.status !== 'active' || snapshot.value === 'idle') return
    this.#runtime.router.send('client', 'pool', {
      type: 'pool.stop',
      force: options.force ?? false,
    })
    await this.#until(({ value }) => !isEnding(value))
    this.#runtime.recorder?.flush()
    await this.#runtime.logger.flush()
  }

  #handle({ record }: Accepted): TaskHandle {
    return new Handle(record, this.#actions)
  }

  status(): PoolStatus {
    const { value, context, status, error } = this.#actor.getSnapshot()
    const isBroken = status === 'error'
    return poolStatus(this.#runtime, {
      state: isBroken ? 'error' : stateName(value),
      size: context.size,
      error: isBroken ? String(error) : (context.error?.message ?? null),
    })
  }

  results(recent?: number): PoolResults {
    return poolResults(this.#runtime, stateName(this.#actor.getSnapshot().value), recent)
  }

  listen<T extends keyof PoolEvents>(
    type: T,
    listener: (event: PoolEvents[T]) => void,
  ): Subscription {
    return this.#runtime.events.on(type, listener)
  }

  /** Waits for what the machine says, and keeps the host alive meanwhile. */
  async #until(isIt: (snapshot: PoolSnapshot) => boolean): Promise<void> {
    await this.#runtime.pendingWork.during(waitFor(this.#actor, isIt))
  }

  #command(event: Command, name: string): void {
    const snapshot = this.#actor.getSnapshot()
    if (!snapshot.can(event)) {
      const state = stateName(snapshot.value)
      throw new TroupeError('STATE_INVALID', `cannot ${name} a pool that is ${state}`)
    }
    this.#runtime.router.send('client', 'pool', event)
  }
}
