/**
 * Loads the user's task file and says in plain words what is wrong with it. A file that does not load will not load the
 * next time either: the error is permanent.
 */
import { fileURLToPath } from 'node:url'
import { TroupeError } from '../common/errors.ts'
import type { Handler, PlainHandler } from '../task/context.ts'
import { MAX_DECLARED, type SessionManifest, type TaskManifest } from '../process/ipc/protocol.ts'
import { type LoadedSession, sessionsOf } from './session/session-file.ts'

/** A task, ready to run. */
export type LoadedTask =
  | { readonly browser: true; readonly handler: Handler; readonly builtIn?: true }
  | { readonly browser: false; readonly handler: PlainHandler; readonly builtIn?: true }

export interface LoadedTasks {
  readonly tasks: ReadonlyMap<string, LoadedTask>
  /** By name; `default` is always there. */
  readonly sessions: ReadonlyMap<string, LoadedSession>
}

/**
 * The tasks of the file at `url`.
 *
 * @throws TroupeError WORKER_START_FAILED, naming the file and the fix.
 */
export async function loadTasks(url: string): Promise<LoadedTasks> {
  const file = readable(url)
  const loaded = await import(url).catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error)
    throw new TroupeError('WORKER_START_FAILED', `the task file ${file} did not load: ${message}`, {
      cause: error,
    })
  })
  const refuse = (problem: string): never => {
    throw new TroupeError('WORKER_START_FAILED', `the task file ${file} ${problem}`)
  }
  if (!('default' in loaded)) {
    refuse('has no default export. Write `export default defineTasks({ … })`')
  }
  const defined: unknown = loaded.default
  if (!isRecord(defined) || defined['kind'] !== 'troupe.tasks' || !isRecord(defined['tasks'])) {
    return refuse('must export what defineTasks() returns: `export default defineTasks({ … })`')
  }
  const tasks = new Map<string, LoadedTask>()
  for (const [name, task] of Object.entries(defined['tasks'])) {
    const known = toTask(task)
    if (known === null) {
      return refuse(`has no handler for "${name}": give a function, or task(options, handler)`)
    }
    tasks.set(name, known)
  }
  if (tasks.size === 0) refuse('defines no task')
  if (tasks.size > MAX_DECLARED) refuse(`defines more than ${MAX_DECLARED} tasks`)
  return { tasks, sessions: sessionsOf(defined, url, refuse) }
}

/** What the pool needs to know of the tasks. */
export function manifestOf({ tasks }: LoadedTasks): TaskManifest[] {
  return [...tasks].map(([name, { browser, builtIn }]) =>
    builtIn ? { name, browser, builtIn } : { name, browser },
  )
}

/** What the pool needs to know of the sessions before it can launch a browser for one. */
export function sessionManifestOf({ sessions }: LoadedTasks): SessionManifest[] {
  return [...sessions.values()].map(({ name, baseProfile }) => ({ name, baseProfile }))
}

function toTask(task: unknown): LoadedTask | null {
  if (typeof task === 'function') return { browser: true, handler: task as Handler }
  if (!isRecord(task) || typeof task['handler'] !== 'function') return null
  if (task['browser'] === false) return { browser: false, handler: task['handler'] as PlainHandler }
  return { browser: true, handler: task['handler'] as Handler }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function readable(url: string): string {
  return url.startsWith('file:') ? fileURLToPath(url.split(/[?#]/)[0] ?? url) : url
}
