/**
 * How a package declares a task type of its own: a name, a schema for its payload, a handler. The
 * schema may come from any library that speaks Standard Schema (zod, valibot, ArkType). The pool
 * loads the module for the schema, each worker for the handler.
 */
import type { Handler, PlainHandler, PlainTaskContext, TaskContext } from '../task/context.ts'

/** What is used of the Standard Schema interface, version 1. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] }

export interface StandardIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** A task type of a plug-in. Made by `defineTaskType()`. */
export interface TaskType<Payload = unknown, Result = unknown, Checked = Payload> {
  readonly kind: 'troupe.type'
  readonly name: string
  readonly schema: StandardSchema<Payload, Checked>
  readonly browser: boolean
  readonly handler: Handler<Checked, Result> | PlainHandler<Checked, Result>
}

interface Declaration<Payload, Checked> {
  /** As `acme.resize`: a plug-in's types begin with a name of its own. */
  readonly name: string
  /** Checked when a task is submitted. The handler gets what the schema makes of the payload. */
  readonly schema: StandardSchema<Payload, Checked>
}

/**
 * Declares a task type, to be exported by a module that the pool option `plugins` names.
 *
 * @example
 * export const resize = defineTaskType({
 *   name: 'acme.resize',
 *   schema: z.object({ path: z.string(), width: z.int().positive() }),
 *   browser: false,
 *   handler: async ({ payload, artifact }) => artifact('small.png', await shrink(payload)),
 * })
 */
export function defineTaskType<Payload, Checked, Result>(
  type: Declaration<Payload, Checked> & {
    readonly browser: false
    readonly handler: (context: PlainTaskContext<Checked>) => Promise<Result> | Result
  },
): TaskType<Payload, Awaited<Result>, Checked>
export function defineTaskType<Payload, Checked, Result>(
  type: Declaration<Payload, Checked> & {
    readonly browser?: true
    readonly handler: (context: TaskContext<Checked>) => Promise<Result> | Result
  },
): TaskType<Payload, Awaited<Result>, Checked>
export function defineTaskType(
  type: Declaration<unknown, unknown> & {
    readonly browser?: boolean
    readonly handler: Handler | PlainHandler
  },
): TaskType {
  const { name, schema, handler, browser = true } = type
  return { kind: 'troupe.type', name, schema, browser, handler }
}

/** A plug-in's types: whatever its module exports that `defineTaskType` has made, in any order. */
export function taskTypesOf(exported: Readonly<Record<string, unknown>>): TaskType[] {
  const found = new Set<TaskType>()
  for (const value of Object.values(exported).flat()) if (isTaskType(value)) found.add(value)
  return [...found]
}

function isTaskType(value: unknown): value is TaskType {
  if (typeof value !== 'object' || value === null) return false
  const type = value as Partial<Record<keyof TaskType, unknown>>
  return type.kind === 'troupe.type' && typeof type.handler === 'function'
}
