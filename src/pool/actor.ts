/**
 * `createPoolActor`: a pool as an XState actor that also carries the pool's methods. `poolLogic` is
 * the same for those who spawn it inside machines of their own.
 */
import { Actor, type ActorOptions, type ActorRef } from 'xstate'
import { parseConfig, type PoolOptions, requireTaskFile } from '../config/parse.ts'
import { PoolClient } from './client.ts'
import { HostWatch } from './host/lifecycle.ts'
import type { MemoryLevel } from './observe/memory-listeners.ts'
import type { PoolMethods, TasksModule } from './methods.ts'
import { PoolRuntime } from './runtime.ts'
import { type PoolLogic, type PoolMachineActor } from './states.ts'
import type { GroupUsage, PoolResults, PoolStatus } from '../api/status.ts'
import type { PoolDeadLetters, TaskHandle } from '../api/task.ts'
import type { PoolEvents } from '../api/events.ts'

export type { PoolMethods, RequestOf, TasksModule } from './methods.ts'

/** A pool: an XState actor with the pool's methods. */
export class PoolActor<M = TasksModule>
  extends Actor<PoolLogic>
  implements AsyncDisposable, PoolMethods<M>
{
  readonly #client: PoolClient
  readonly #host: HostWatch
  readonly #runtime: PoolRuntime

  constructor(runtime: PoolRuntime, options: ActorOptions<PoolLogic>) {
    super(runtime.logic(), options)
    this.#runtime = runtime
    const actor = this as unknown as PoolMachineActor
    this.#client = new PoolClient(actor, runtime)
    this.#host = new HostWatch(actor, runtime)
  }

  /** Starts the actor and the pool. A pool that was shut down may be started again. */
  override start(): this {
    super.start()
    this.#host.attach()
    this.#runtime.router.send('client', 'pool', { type: 'pool.start' })
    return this
  }

  /** Ends at once, without waiting for anything: every process is killed. Prefer `shutdown()`. */
  override stop(): this {
    this.#host.detach()
    return super.stop()
  }

  submit: PoolMethods<M>['submit'] = (name, payload, options) =>
    this.#client.submit(name, payload, options) as never
  submitAll: PoolMethods<M>['submitAll'] = (tasks) => this.#client.submitAll(tasks) as never
  run: PoolMethods<M>['run'] = (name, payload, options) =>
    this.#client.run(name, payload, options) as never
  map: PoolMethods<M>['map'] = (name, payloads, options) =>
    this.#client.map(name, payloads, options as never) as never

  find(id: string): Promise<TaskHandle | null> {
    return this.#client.find(id)
  }

  pause(): void {
    this.#client.pause()
  }

  resume(): void {
    this.#client.resume()
  }

  recover(): void {
    this.#client.recover()
  }

  scale(workers: number): Promise<void> {
    return this.#client.scale(workers)
  }

  scaleUp(by?: number): Promise<void> {
    return this.#client.scaleUp(by)
  }

  scaleDown(by?: number): Promise<void> {
    return this.#client.scaleDown(by)
  }

  onMemory(ratio: number, listener: (level: MemoryLevel) => void): { unsubscribe(): void } {
    return this.#client.onMemory(ratio, listener)
  }

  setGroupLimit(group: string, limit: number): void {
    this.#client.setGroupLimit(group, limit)
  }

  groupUsage(group: string): GroupUsage {
    return this.#client.groupUsage(group)
  }

  drain(): Promise<void> {
    return this.#client.drain()
  }

  backup(path: string): Promise<void> {
    return this.#client.backup(path)
  }

  cleanProfiles(): Promise<readonly string[]> {
    return this.#client.cleanProfiles()
  }

  shutdown(options?: { readonly force?: boolean }): Promise<void> {
    return this.#client.shutdown(options)
  }

  accepting(): Promise<void> {
    return this.#client.accepting()
  }

  status(): PoolStatus {
    return this.#client.status()
  }

  results(recent?: number): PoolResults {
    return this.#client.results(recent)
  }

  get deadLetters(): PoolDeadLetters {
    return this.#client.deadLetters
  }

  /** Listens to the pool's news (PoolEvents). */
  // @ts-expect-error XState's `on` knows only what a machine emits; ours are the pool's own events.
  override on<T extends keyof PoolEvents>(
    type: T,
    listener: (event: PoolEvents[T]) => void,
  ): { unsubscribe(): void } {
    return this.#runtime.events.on(type, listener)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown()
  }
}

/**
 * Makes a pool. Nothing runs before `.start()`.
 *
 * @param options See PoolOptions. Durations are in ms.
 * @param actorOptions Passed to XState: `inspect`, `id`, `logger`.
 * @throws CONFIG_INVALID with a line for each field that is wrong.
 * @example
 * await using pool = createPoolActor<typeof import('./tasks.ts')>({
 *   tasks: new URL('./tasks.ts', import.meta.url),
 *   workers: 4,
 * }).start()
 * const title = await pool.run('title', { url: 'https://example.com' })
 */
export function createPoolActor<M = TasksModule>(
  options: PoolOptions,
  actorOptions: Pick<ActorOptions<PoolLogic>, 'inspect' | 'id' | 'logger'> = {},
): PoolActor<M> {
  return poolActorOf<M>(runtimeFor(options), actorOptions)
}

/** The actor of a runtime: for who has made a world of their own, as simulations have. */
export function poolActorOf<M = TasksModule>(
  runtime: PoolRuntime,
  actorOptions: Pick<ActorOptions<PoolLogic>, 'inspect' | 'id' | 'logger'> = {},
): PoolActor<M> {
  const clock = runtime.world.machineClock
  return new PoolActor<M>(runtime, {
    id: 'pool',
    clock,
    ...actorOptions,
    ...isolated(actorOptions.inspect, runtime),
    input: poolInput(runtime),
  })
}

/** An inspector is a stranger, and XState calls it in the middle of every step. */
function isolated(
  inspect: ActorOptions<PoolLogic>['inspect'],
  { logger }: PoolRuntime,
): Pick<ActorOptions<PoolLogic>, 'inspect'> {
  if (inspect === undefined) return {}
  const send = typeof inspect === 'function' ? inspect : inspect.next?.bind(inspect)
  return {
    inspect: (event) => {
      try {
        send?.(event)
      } catch (error) {
        logger.error('a listener threw', { type: 'inspect', error })
      }
    },
  }
}

const runtimes = new WeakMap<PoolLogic, PoolRuntime>()

/**
 * The pool as actor logic, to be spawned inside a machine of yours. One logic is for one actor. It
 * starts on `{ type: 'pool.start' }`; `poolOf` gives its methods.
 *
 * @throws CONFIG_INVALID
 * @example
 * const logic = poolLogic({ tasks: './tasks.ts' })
 * const machine = setup({ actors: { pool: logic } }).createMachine({ invoke: { id: 'pool', src: 'pool' } })
 *
 */
export function poolLogic(options: PoolOptions): PoolLogic {
  const runtime = runtimeFor(options)
  const logic = runtime.logic()
  runtimes.set(logic, runtime)
  return logic
}

/**
 * The methods of a spawned pool. @throws CONFIG_INVALID when the actor was not made from
 * `poolLogic`.
 */
export function poolOf<M = TasksModule>(
  actor: ActorRef<never, never>,
  logic: PoolLogic,
): PoolMethods<M> {
  const runtime = runtimes.get(logic)
  if (runtime === undefined) throw new TypeError('poolOf: this logic was not made by poolLogic()')
  return new PoolClient(actor as unknown as PoolMachineActor, runtime) as never
}

function runtimeFor(options: PoolOptions): PoolRuntime {
  const config = parseConfig(options)
  requireTaskFile(config)
  return new PoolRuntime(config)
}

function poolInput({ config }: PoolRuntime) {
  const workers = config.sequentialBelow > 0 ? 1 : config.workers
  return { workers, standby: config.standby, startTimeoutMs: config.startTimeout }
}
