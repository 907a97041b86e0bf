/**
 * What the pool and a child process say to each other over their channel: orders go down, reports
 * come up. Several travel in one frame, one frame a tick. Each frame is stamped with the incarnation
 * it belongs to. Types and limits only.
 */
import type { CancelReason, SerializedError, Verdict } from '../../../machines/protocol.ts'
import type { ChildTaskTypes } from './child-types.ts'
/** Tasks, and sessions, that one task file may declare. */
export const MAX_DECLARED = 10_000
/**
 * After the grace, a browser task's child climbs its own ladder (stop the page, close the tab,
 * probe the browser). Only when that has not ended the attempt within this is the process killed.
 */
export const ESCALATION_LIMIT_MS = 4_000
/** The environment variable that carries a ChildBirth, as JSON. */
export const WORKER_INIT_VARIABLE = 'TROUPE_WORKER'

/** Everything a child knows at birth. */
export interface WorkerInit {
  readonly slot: string
  readonly incarnation: number
  /** URL of the user's task file. */
  readonly tasks: string
  /** The run folder of the pool: artifacts, downloads and TMPDIR live in it. */
  readonly runFolder: string
  /** This user's own folder for what Node compiles. */
  readonly compileCache: string
  /** Where this slot's artifacts go (outlives the run when the user named a folder). */
  readonly artifactFolder: string
  /** Bytes of its disk that no artifact may take; 0 or nothing: it may take all. */
  readonly diskFloorBytes?: number
  readonly heartbeatMs: number
  /** Tasks at once in this worker. */
  readonly concurrency: number
  /** Default: no type is allowed that needs to be. */
  readonly taskTypes?: ChildTaskTypes
  /** URL of a module to load before the task file. */
  readonly workerScript?: string
  /** Path of the trace that the session's steps are written to. Default: none. */
  readonly trace?: string
}

/** How to launch the browser. Sent when the child has said that its tasks need one. */
export interface LaunchSpec {
  readonly executablePath: string
  readonly args: readonly string[]
  readonly headless: boolean
  readonly profileFolder: string
  readonly tmpFolder: string
  readonly isolation: 'session' | 'context'
  readonly launchTimeoutMs: number
  /** Which of the task file's sessions it is for. */
  readonly session: string
  /** What its profile may come to on the disk; 0 or nothing: no limit. */
  readonly maxProfileBytes?: number
  /** URL of a module that exports `driver: BrowserDriver`. Default: puppeteer over a pipe. */
  readonly driver?: string
}

/** How a task ended that another depends on. */
export type DependencyFacts =
  | { readonly status: 'succeeded'; readonly value: unknown }
  | { readonly status: 'failed' | 'cancelled'; readonly error: SerializedError }

/** A task to be run, as the ledger assigns it. */
export interface TaskOrder {
  readonly kind: 'run'
  readonly taskId: string
  readonly attempt: number
  readonly name: string
  readonly payload: unknown
  /** Run timeout in ms, 0 for none: told for information; the pool keeps the clock. */
  readonly timeoutMs: number
  /** By id; missing when it depends on none. */
  readonly dependencies?: Readonly<Record<string, DependencyFacts>>
}

/** The same on its way to a process, which speaks of the attempt by its token alone. */
export interface RunOrder extends TaskOrder {
  /** Random, of 48 bits. */
  readonly token: number
}

/** Stop an attempt: abort its signal, then close its tab after `graceMs`. */
export interface TaskAbort {
  readonly taskId: string
  readonly attempt: number
  readonly reason: CancelReason
  readonly graceMs: number
}

export type AbortOrder = Omit<TaskAbort, 'taskId' | 'attempt'> & {
  readonly kind: 'abort'
  readonly token: number
}

export type Order =
  | { readonly kind: 'open'; readonly launch: LaunchSpec | null }
  | RunOrder
  | AbortOrder
  /** Close the browser and exit with code 0. */
  | { readonly kind: 'close' }

/** What a task file declares of one task, as far as the pool needs to know. */
export interface TaskManifest {
  readonly name: string
  readonly browser: boolean
  /** True of what every pool has, whatever its task file says. */
  readonly builtIn?: true
}

/** What a task file declares of one session, as far as the pool needs to know. */
export interface SessionManifest {
  readonly name: string
  /** Absolute path of the profile to clone; null: the pool's. */
  readonly baseProfile: string | null
}

/** What a child says of an attempt, by the token of its order. */
export type AttemptReportOfChild =
  | { readonly kind: 'started'; readonly token: number }
  | {
      readonly kind: 'ended'
      readonly token: number
      readonly runMs: number
      readonly verdict: Verdict
      readonly value?: unknown
      readonly error?: SerializedError
    }
  | { readonly kind: 'progress'; readonly token: number; readonly progress: unknown }

export type Report =
  | {
      readonly kind: 'loaded'
      readonly tasks: readonly TaskManifest[]
      readonly sessions: readonly SessionManifest[]
    }
  /** The browser runs and its login begins: said of the first and of any later. */
  | { readonly kind: 'sessionLaunched' }
  | { readonly kind: 'sessionReady'; readonly browserPid: number | null }
  /** `permanent`: starting again would fail the same way. */
  | { readonly kind: 'sessionFailed'; readonly error: SerializedError; readonly permanent: boolean }
  | { readonly kind: 'browserLost'; readonly browserPid: number }
  | AttemptReportOfChild
  | {
      readonly kind: 'log'
      readonly level: 'error' | 'warn' | 'info' | 'debug'
      readonly message: string
      readonly fields: Readonly<Record<string, unknown>>
      /** Of the attempt that says it, if one does. */
      readonly token?: number
    }
  | { readonly kind: 'login' }
  | { readonly kind: 'retire'; readonly reason: string }
  | { readonly kind: 'heartbeat'; readonly rssBytes: number }

export interface Frame<Item> {
  readonly incarnation: number
  readonly items: readonly Item[]
}

/** What a child said of an attempt. */
export type AttemptReport =
  | { readonly kind: 'started'; readonly taskId: string; readonly attempt: number }
  | {
      readonly kind: 'ended'
      readonly taskId: string
      readonly attempt: number
      readonly verdict: Verdict
      readonly value?: unknown
      readonly error?: SerializedError
    }
  | {
      readonly kind: 'progress'
      readonly taskId: string
      readonly attempt: number
      readonly progress: unknown
    }
