/**
 * What a user's task file is made of: `defineTasks`, `task`, and the context a handler gets. Inside
 * a worker process the name `troupe` resolves to this file alone (package condition
 * `troupe-child`), so a task file loads in no time.
 */

import type { SessionDefinition } from './task/session-definition.ts'
import type {
  Handler,
  PlainHandler,
  TaskDefinition,
  TaskMap,
  DefinedTasks,
} from './task/context.ts'

export { isTroupeError, TroupeError } from './common/errors.ts'
export { defineTaskType } from './task-types/task-type.ts'
export type {
  ProxySettings,
  SessionContext,
  SessionDefinition,
  SessionFacts,
  StorageState,
  StoredCookie,
} from './task/session-definition.ts'

/**
 * Declares a task with options.
 *
 * @example
 * export default defineTasks({
 *   checksum: task({ browser: false }, async ({ payload }: PlainTaskContext<string>) => payload.length),
 * })
 *
 */
export function task<Payload, Result>(
  options: { readonly browser: false },
  handler: PlainHandler<Payload, Result>,
): TaskDefinition<Payload, Result>
export function task<Payload, Result>(
  options: { readonly browser?: true },
  handler: Handler<Payload, Result>,
): TaskDefinition<Payload, Result>
export function task(
  options: { readonly browser?: boolean },
  handler: Handler | PlainHandler,
): TaskDefinition {
  return { browser: options.browser ?? true, handler }
}

/**
 * The default export of a task file: what the workers of a pool can do. A bare function is a
 * browser task.
 *
 * @example
 * export default defineTasks(
 *   { title: async ({ page, payload }: TaskContext<{ url: string }>) => {
 *       await page.goto(payload.url)
 *       return page.title()
 *   } },
 *   { session: { login: async ({ page }) => { await page.goto('https://portal.example/login') } } },
 * )
 *
 */
export function defineTasks<const Tasks extends TaskMap>(
  tasks: Tasks,
  options: {
    /** Of tasks that name no session. */
    readonly session?: SessionDefinition
    /** By name: `run(name, payload, { session: 'buyer' })` runs where that session is. */
    readonly sessions?: Readonly<Record<string, SessionDefinition>>
  } = {},
): DefinedTasks<Tasks> {
  const { session = null, sessions = {} } = options
  return { kind: 'troupe.tasks', tasks, session, sessions }
}
