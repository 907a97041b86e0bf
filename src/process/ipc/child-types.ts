/**
 * What a worker is told of the task types at its birth: which are allowed, and within what limits.
 * Plain data; it crosses to the child as JSON.
 */

import type { TaskTypesFacts } from '../../config/task-types.ts'

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
