/**
 * What a worker is told of the task types at its birth: which are allowed, and within what limits.
 * Plain data; it crosses to the child as JSON.
 */
import type { OptInName } from '../task-types/built-in.ts'

/** Of each disposable process. */
export interface DisposableLimits {
  /** ms */
  readonly timeout: number
  /** Bytes of data. */
  readonly memory: number
  /** Seconds of processor time. */
  readonly cpu: number
  /** Bytes of one file, and of the temporary folder. */
  readonly fileSize: number
  /** Bytes kept of stdout, and of stderr. */
  readonly output: number
}

/** The pool options `taskTypes` and `plugins`, complete. */
export interface TaskTypesFacts {
  readonly allow: readonly OptInName[]
  readonly browser: boolean
  readonly schemes: readonly string[]
  readonly maxResponseBytes: number
  readonly modules: {
    /** Absolute paths. */
    readonly folders: readonly string[]
    /** URLs by name. */
    readonly named: Readonly<Record<string, string>>
  }
  readonly commands: readonly string[]
  readonly sandbox: 'auto' | 'required' | 'off'
  readonly unsafe: boolean
  readonly limits: DisposableLimits
  /** URLs. */
  readonly plugins: readonly string[]
}

/** What keeps disposable processes apart on this machine. */
export type Sandbox =
  | {
      readonly kind: 'bubblewrap'
      /** Absolute path of bwrap. */
      readonly program: string
      /** Absolute paths of what Node itself has loaded. */
      readonly libraries: readonly string[]
    }
  | { readonly kind: 'none'; readonly reason: string }

/** What the machine offers to disposable processes. */
export interface DisposableMeans {
  readonly sandbox: Sandbox
  /** Absolute path; null: there is none, and no limit but time and output holds. */
  readonly prlimit: string | null
  /** Absolute paths by the name that tasks use. */
  readonly commands: Readonly<Record<string, string>>
}

export interface ChildTaskTypes extends Omit<TaskTypesFacts, 'commands' | 'sandbox'> {
  /** Null as long as no type that needs one is allowed. */
  readonly disposable: DisposableMeans | null
}

/** A worker that was told nothing: nothing is allowed. */
export const NO_TASK_TYPES: ChildTaskTypes = {
  allow: [],
  browser: false,
  schemes: ['http', 'https', 'data'],
  maxResponseBytes: 16 * 1024 * 1024,
  modules: { folders: [], named: {} },
  unsafe: false,
  limits: { timeout: 1, memory: 0, cpu: 1, fileSize: 0, output: 0 },
  plugins: [],
  disposable: null,
}
