/**
 * The one error class of Troupe and its codes, grouped by who must act. Errors cross process
 * borders as plain facts (`SerializedError`) and come back to life here. Nothing else in `src/` throws a
 * bare Error at a user.
 */
import type { SerializedError } from '../../machines/protocol.ts'

/** Usage: the caller mends the call. */
type UsageCode =
  | 'CONFIG_INVALID'
  | 'PAYLOAD_INVALID'
  | 'TASK_UNKNOWN'
  | 'STATE_INVALID'
  | 'POOL_CLOSED'
/**
 * Refused: nothing is wrong; the caller may come back. The error carries the task that was refused.
 */
type RefusedCode = 'QUEUE_FULL' | 'DRAINING' | 'STORE_FULL'
/** Outcome: how an accepted task ended, when it did not succeed. */
type OutcomeCode =
  | 'TASK_FAILED'
  | 'TASK_TIMED_OUT'
  | 'TASK_EXPIRED'
  | 'TASK_CANCELLED'
  | 'WORKER_LOST'
  | 'BROWSER_LOST'
  | 'DEPENDENCY_FAILED'
/** Supervision: the operator looks at the machine, the browser, the task file or the store. */
type SupervisionCode =
  | 'BROWSER_NOT_FOUND'
  | 'WORKER_START_FAILED'
  | 'PROFILE_FAILED'
  | 'RESTARTS_EXHAUSTED'
  | 'KILL_FAILED'
  | 'STORE_LOCKED'
  | 'STORE_UNREADABLE'
  | 'STORE_FAILED'
  | 'STORE_LOST'
/** Defect: a bug in Troupe. Please report it with the journal's tail that comes with it. */
type DefectCode = 'INVARIANT_VIOLATED' | 'UNEXPECTED_EVENT'
export type TroupeErrorCode = UsageCode | RefusedCode | OutcomeCode | SupervisionCode | DefectCode

const BRAND = Symbol.for('troupe.error')
const RETRYABLE: ReadonlySet<string> = new Set<TroupeErrorCode>([
  'QUEUE_FULL',
  'STORE_FULL',
  'TASK_FAILED',
  'TASK_TIMED_OUT',
  'WORKER_LOST',
  'BROWSER_LOST',
])
/** A chain of causes is cut here, so that an error stays bounded (G7). */
const MAX_CAUSE_DEPTH = 4
const MAX_OWN_CODE = 256

export interface TroupeErrorOptions {
  readonly cause?: unknown
  readonly retryable?: boolean
  /** The refused or ended task, where there is one. */
  readonly task?: { readonly id: string; readonly name: string; readonly payload: unknown }
}

/**
 * Every error Troupe throws or rejects with. Tell them apart by `code`, never by message.
 *
 * @example
 * try { await pool.run('download', order) } catch (error) {
 *   if (isTroupeError(error, 'TASK_TIMED_OUT')) retryLater(order)
 * }
 */
export class TroupeError extends Error {
  readonly code: TroupeErrorCode
  readonly retryable: boolean
  readonly task?: { readonly id: string; readonly name: string; readonly payload: unknown }

  constructor(code: TroupeErrorCode, message: string, options: TroupeErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'TroupeError'
    this.code = code
    this.retryable = options.retryable ?? RETRYABLE.has(code)
    if (options.task) this.task = options.task
    Object.defineProperty(this, BRAND, { value: true })
  }
}

/** True for a TroupeError of any copy of the package, and of the given code when one is named. */
export function isTroupeError(value: unknown, code?: TroupeErrorCode): value is TroupeError {
  if (typeof value !== 'object' || value === null || !(BRAND in value)) return false
  return code === undefined || (value as { code?: unknown }).code === code
}

/** The facts of anything thrown. An error that is not ours gets `code`. */
export function serializeError(
  thrown: unknown,
  code: TroupeErrorCode = 'TASK_FAILED',
  depth = 0,
): SerializedError {
  if (!(thrown instanceof Error)) return { code, message: String(thrown) }
  const facts: SerializedError = {
    code: isTroupeError(thrown) ? thrown.code : code,
    message: thrown.message,
    name: thrown.name,
    ...(thrown.stack === undefined ? {} : { stack: thrown.stack }),
    ...(isTroupeError(thrown) ? { retryable: thrown.retryable } : ownCodeOf(thrown)),
  }
  if (thrown.cause === undefined || depth >= MAX_CAUSE_DEPTH) return facts
  return { ...facts, cause: serializeError(thrown.cause, code, depth + 1) }
}

function ownCodeOf(thrown: Error): { ownCode?: string } {
  const { code } = thrown as { code?: unknown }
  return typeof code === 'string' ? { ownCode: code.slice(0, MAX_OWN_CODE) } : {}
}

/** The error a user sees, made from facts. */
export function deserializeError(
  facts: SerializedError,
  task?: TroupeErrorOptions['task'],
): TroupeError {
  const error = new TroupeError(facts.code as TroupeErrorCode, facts.message, {
    ...(facts.cause ? { cause: causeOf(facts.cause) } : {}),
    ...(facts.retryable === undefined ? {} : { retryable: facts.retryable }),
    ...(task ? { task } : {}),
  })
  if (facts.stack !== undefined) error.stack = facts.stack
  return error
}

function causeOf(facts: SerializedError): Error {
  const error = new Error(facts.message, facts.cause ? { cause: causeOf(facts.cause) } : undefined)
  if (facts.name !== undefined) error.name = facts.name
  if (facts.stack !== undefined) error.stack = facts.stack
  return error
}

/** Does each, whatever the others throw. What was thrown. */
export function attemptAll(actions: Iterable<() => unknown>): unknown[] {
  const thrown: unknown[] = []
  for (const action of actions) {
    try {
      action()
    } catch (error) {
      thrown.push(error)
    }
  }
  return thrown
}
