/**
 * `createPoolActor`: a pool as an XState actor that also carries the pool's methods. `poolLogic` is
 * the same for those who spawn it inside machines of their own.
 */
import { Actor, type ActorOptions, type ActorRef } from 'xstate'
import { parseConfig, type PoolOptions, requireTaskFile } from './config.ts'
import { machineClock } from './pool-clock.ts'
import { PoolClient } from './pool-client.ts'
import { HostWatch } from './pool-host.ts'
import { type PoolLogic, type PoolMachineActor, PoolRuntime } from './pool-runtime.ts'
import type {
  MapOptions,
  PoolEvents,
  PoolStatus,
  TaskHandle,
  TaskOptions,
  TaskOutcome,
} from './pool-types.ts'
import type { DefinedTasks, PayloadOf, ResultOf, TaskMap } from './tasks.ts'

/** What `typeof import('./tasks.ts')` gives: a module with the tasks as its default export. */
export interface TasksModule {
  readonly default: DefinedTasks
}
type TasksOf<M> = M extends { readonly default: DefinedTasks<infer Tasks> } ? Tasks : TaskMap
type NameOf<M> = keyof TasksOf<M> & string
type Payload<M, N extends NameOf<M>> = PayloadOf<TasksOf<M>[N]>
type Result<M, N extends NameOf<M>> = ResultOf<TasksOf<M>[N]>

/** The methods of a pool, typed by its task file. */
export interface PoolMethods<M = TasksModule> {
  /**
   * Hands a task in. @throws CONFIG_INVALID, PAYLOAD_INVALID, TASK_UNKNOWN, POOL_CLOSED,
   * QUEUE_FULL, DRAINING
   */
  submit<N extends NameOf<M>>(
    name: N,
    payload: Payload<M, N>,
    options?: TaskOptions,
  ): TaskHandle<Result<M, N>, Payload<M, N>>
  /**
   * Hands a task in and waits for its result. Rejects with the outcome's error, or as `submit`
   * throws.
   */
  run<N extends NameOf<M>>(
    name: N,
    payload: Payload<M, N>,
    options?: TaskOptions,
  ): Promise<Result<M, N>>
  /** Runs one task for each payload, a bounded number at once, and yields every outcome. */
  map<N extends NameOf<M>>(
    name: N,
    payloads: Iterable<Payload<M, N>> | AsyncIterable<Payload<M, N>>,
    options?: MapOptions,
  ): AsyncGenerator<TaskOutcome<Result<M, N>, Payload<M, N>>, void, undefined>
  /** Starts no more tasks; those that run may end. @throws STATE_INVALID unless running */
  pause(): void
  /** @throws STATE_INVALID unless paused */
  resume(): void
  /** From `error` back to `idle`, so that it can be started again. @throws STATE_INVALID */
  recover(): void
  /**
   * Resolves when the pool has that many workers. Those taken away end their tasks first. @throws
   * CONFIG_INVALID, STATE_INVALID
   */
  scale(workers: number): Promise<void>
  /**
   * Refuses new tasks until all accepted ones have ended, then accepts again. @throws STATE_INVALID
   */
  drain(): Promise<void>
  /**
   * Running tasks may end within `drainTimeout`, waiting ones are cancelled; `force` kills at once.
   * Resolves when nothing is left.
   */
  shutdown(options?: { readonly force?: boolean }): Promise<void>
  status(): PoolStatus
}

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
    this.send({ type: 'pool.start' })
    return this
  }

  /** Ends at once, without waiting for anything: every process is killed. Prefer `shutdown()`. */
  override stop(): this {
    this.#host.detach()
    return super.stop()
  }

  submit: PoolMethods<M>['submit'] = (name, payload, options) =>
    this.#client.submit(name, payload, options) as never
  run: PoolMethods<M>['run'] = (name, payload, options) =>
    this.#client.run(name, payload, options) as never
  map: PoolMethods<M>['map'] = (name, payloads, options) =>
    this.#client.map(name, payloads, options) as never

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

  drain(): Promise<void> {
    return this.#client.drain()
  }

  shutdown(options?: { readonly force?: boolean }): Promise<void> {
    return this.#client.shutdown(options)
  }

  status(): PoolStatus {
    return this.#client.status()
  }

  /** Listens to the pool's news (PoolEvents). */
  // @ts-expect-error XState's `on` knows only what a machine emits; ours are the pool's own events.
  override on<T extends keyof PoolEvents>(
    type: T,
    listener: (event: PoolEvents[T]) => void,
  ): { unsubscribe(): void } {
    return this.#runtime.news.on(type, listener)
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
  const runtime = runtimeFor(options)
  const input = poolInput(runtime)
  return new PoolActor<M>(runtime, { id: 'pool', clock: machineClock, ...actorOptions, input })
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
  return { workers: config.workers, startTimeoutMs: config.startTimeout }
}
