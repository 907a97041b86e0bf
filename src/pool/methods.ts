/**
 * The methods of a pool, typed by its task file. Types only: client.ts does what they say.
 */
import type { MemoryLevel } from './observe/memory-listeners.ts'
import type { GroupUsage, PoolResults, PoolStatus } from '../api/status.ts'
import type {
  MapOptions,
  PoolDeadLetters,
  TaskHandle,
  TaskOptions,
  TaskOutcome,
} from '../api/task.ts'
import type { StandardSchema } from '../task-types/task-type.ts'
import type { BuiltInTypes } from '../task-types/built-in.ts'
import type { DefinedTasks, PayloadOf, ResultOf, TaskMap } from '../task/context.ts'

/** What `typeof import('../tasks.ts')` gives: a module with the tasks as its default export. */
export interface TasksModule {
  readonly default: DefinedTasks
}
type TasksOf<M> = M extends { readonly default: DefinedTasks<infer Tasks> } ? Tasks : TaskMap
/** What every pool knows beside its task file. */
type Types = BuiltInTypes & TroupePlugInTypes
type NameOf<M> = (keyof TasksOf<M> | keyof Types) & string
type TaskOf<M, N> = N extends keyof Types
  ? Types[N]
  : N extends keyof TasksOf<M>
    ? TasksOf<M>[N]
    : never
/** Of a plug-in's type: what its schema takes, which may be less than its handler gets. */
type Payload<M, N extends NameOf<M>> =
  TaskOf<M, N> extends { readonly schema: StandardSchema<infer Input, unknown> }
    ? Input
    : PayloadOf<TaskOf<M, N>>
type Result<M, N extends NameOf<M>> = ResultOf<TaskOf<M, N>>

/** One of the tasks of `submitAll`, typed by its name. */
export type RequestOf<M = TasksModule> = {
  [N in NameOf<M>]: {
    readonly name: N
    readonly payload: Payload<M, N>
    readonly options?: TaskOptions | undefined
  }
}[NameOf<M>]
type HandleOf<M, Request> = Request extends { readonly name: infer N extends NameOf<M> }
  ? TaskHandle<Result<M, N>, Payload<M, N>>
  : TaskHandle

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
   * Hands many tasks in at once: all are accepted, or none. Their `dependsOn` may name each other's
   * ids. @throws as `submit`; `error.task` is the first one in the way
   */
  submitAll<const Requests extends readonly RequestOf<M>[]>(
    tasks: Requests,
  ): { -readonly [At in keyof Requests]: HandleOf<M, Requests[At]> }
  /**
   * Resolves as soon as `submit` would find room. @throws POOL_CLOSED, DRAINING
   */
  accepting(): Promise<void>
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
    options?: MapOptions<Payload<M, N>>,
  ): AsyncGenerator<TaskOutcome<Result<M, N>, Payload<M, N>>, void, undefined>
  /**
   * The task with that id: one that has not ended, also when an earlier pool had accepted it, or,
   * with a durable `store`, one that has ended and is still kept. Null: it is not known.
   */
  find(id: string): Promise<TaskHandle | null>
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
  /** `scale` to so many more, 1 by default. @throws CONFIG_INVALID, STATE_INVALID */
  scaleUp(by?: number): Promise<void>
  /** `scale` to so many fewer, 1 by default. @throws CONFIG_INVALID, STATE_INVALID */
  scaleDown(by?: number): Promise<void>
  /**
   * Calls `listener` when the used share of memory reaches `ratio`, and again when it has fallen 5
   * points below it; at once, if it is past it now.
   *
   * @throws CONFIG_INVALID for a ratio that is no number above 0 and at most 1, or past 100
   * listeners
   * @example
   * const { unsubscribe } = pool.onMemory(0.9, ({ isPast }) => (isPast ? pool.pause() : pool.resume()))
   */
  onMemory(ratio: number, listener: (level: MemoryLevel) => void): { unsubscribe(): void }
  /**
   * How many tasks of a group may run at once from now on, 0 for no limit. Those that run go on.
   * @throws CONFIG_INVALID
   */
  setGroupLimit(group: string, limit: number): void
  /** What a group has waiting and running. */
  groupUsage(group: string): GroupUsage
  /**
   * Refuses new tasks until all accepted ones have ended, then accepts again. @throws STATE_INVALID
   */
  drain(): Promise<void>
  /**
   * Running tasks may end within `drainTimeout`, waiting ones are cancelled; `force` kills at once.
   * Resolves when nothing is left.
   */
  shutdown(options?: { readonly force?: boolean }): Promise<void>
  /**
   * Copies the durable store, in use as it is, into a new file: whole, as of one moment. Also when
   * the store was lost (`store.lost`).
   *
   * @throws STATE_INVALID without a store that is open; CONFIG_INVALID when there is a file already;
   * STORE_FULL, STORE_FAILED
   */
  backup(path: string): Promise<void>
  /**
   * Deletes what the pool keeps of profiles and does not use: clones made ahead, copies in
   * quarantine, leftovers. Profiles in use stay. Resolves with the folders that are gone.
   */
  cleanProfiles(): Promise<readonly string[]>
  status(): PoolStatus
  /** What has come of the tasks so far, with the last `recent` (default 100) that ended. */
  results(recent?: number): PoolResults
  /** The tasks that failed. */
  readonly deadLetters: PoolDeadLetters
}
