/** What a handler gets and gives, and what a task file declares, as types. */
import type { TroupeError } from '../common/errors.ts'
import type { SessionFacts, SessionDefinition } from './session-definition.ts'
import type { Page } from 'puppeteer-core'

/** A file a task has produced. */
export interface Artifact {
  readonly name: string
  /** Absolute path of the file. */
  readonly path: string
  readonly bytes: number
  /** Lower-case hex. */
  readonly sha256: string
  /** Of a download: where it came from in the end, after redirects. */
  readonly url?: string
  /** Of a download: as the server said. Missing where it said nothing, or nobody could hear it. */
  readonly contentType?: string
}

/** What a worker script's `setup` and `teardown` get. */
export interface WorkerScriptContext {
  readonly slot: string
  /** Which process of its slot this is, from 1. */
  readonly incarnation: number
  /** The session's store: what `setup` puts there, tasks find in `session.store`. */
  readonly store: Map<string, unknown>
  log(message: string, fields?: Readonly<Record<string, unknown>>): void
}

/** How a task ended that another depends on. */
export type DependencyOutcome =
  | { readonly status: 'succeeded'; readonly value: unknown }
  /** Only with `dependencyFailure: 'run'`. */
  | { readonly status: 'failed' | 'cancelled'; readonly error: TroupeError }

/** What every handler gets, browser or not. */
export interface PlainTaskContext<Payload = unknown> {
  readonly payload: Payload
  readonly taskId: string
  /** Which start of the task this is, from 1. */
  readonly attempt: number
  /**
   * Aborted on cancel and timeout. Pass it on; what ignores it is stopped by force after the grace.
   */
  readonly signal: AbortSignal
  readonly session: SessionFacts
  /** How the tasks ended that this one depends on (`dependsOn`), by id. */
  readonly dependencies: Readonly<Record<string, DependencyOutcome>>
  /** Tells watchers how far the task is. The last one wins; bounded to 16 KiB. */
  progress(value: unknown): void
  /** A structured log line, stamped with task, attempt and worker. */
  log(message: string, fields?: Readonly<Record<string, unknown>>): void
  /** Writes a file that belongs to the task's result. */
  artifact(name: string, data: string | Uint8Array): Promise<Artifact>
  /** Asks for this worker to be replaced once the task has ended. */
  retire(reason: string): void
}

export interface DownloadOptions {
  /** File name to store under. Default: what the server suggests. */
  readonly name?: string
  /** ms, default 30,000. */
  readonly timeout?: number
  /** Default 256 MiB. */
  readonly maxBytes?: number
  /** The page that the action works on. Default: the task's own. */
  readonly page?: Page
}

export interface DownloadsOptions extends DownloadOptions {
  /** How many files will come. Default: as many as begin until the action has ended and it is quiet. */
  readonly count?: number
  /** ms in which nothing begins or ends, default 1,000. Without `count` alone. */
  readonly quiet?: number
}

/** What a browser task's handler gets. */
export interface TaskContext<Payload = unknown> extends PlainTaskContext<Payload> {
  /** A warm tab of the worker's session. Yours until the handler ends. */
  readonly page: Page
  /**
   * Starts one download, by URL or by an action such as a click, waits until it is complete, and
   * keeps it as an artifact. URLs are fetched at the same time; actions on one page wait for each
   * other.
   */
  download(source: string | (() => Promise<unknown>), options?: DownloadOptions): Promise<Artifact>
  /** Keeps all files that one action starts, in the order in which they began. */
  downloads(action: () => Promise<unknown>, options?: DownloadsOptions): Promise<Artifact[]>
}

type AnyPayload = any

export type Handler<Payload = AnyPayload, Result = unknown> = (
  context: TaskContext<Payload>,
) => Promise<Result> | Result

export type PlainHandler<Payload = AnyPayload, Result = unknown> = (
  context: PlainTaskContext<Payload>,
) => Promise<Result> | Result

/** A task with its declaration. Made by `task()`. */
export interface TaskDefinition<Payload = AnyPayload, Result = unknown> {
  readonly browser: boolean
  readonly handler: Handler<Payload, Result> | PlainHandler<Payload, Result>
}

export type TaskMap = Readonly<Record<string, Handler | TaskDefinition>>

export interface DefinedTasks<Tasks extends TaskMap = TaskMap> {
  readonly kind: 'troupe.tasks'
  readonly tasks: Tasks
  /** Of tasks that name no session. */
  readonly session: SessionDefinition | null
  /** By name. */
  readonly sessions: Readonly<Record<string, SessionDefinition>>
}

/** The payload type of a task, taken from its handler. */
export type PayloadOf<T> =
  T extends TaskDefinition<infer P, unknown>
    ? P
    : T extends (context: infer Context) => unknown
      ? Context extends { readonly payload: infer P }
        ? P
        : unknown
      : unknown

/** The result type of a task, taken from its handler. */
export type ResultOf<T> =
  T extends TaskDefinition<AnyPayload, infer R>
    ? Awaited<R>
    : T extends (context: AnyPayload) => infer R
      ? Awaited<R>
      : unknown
