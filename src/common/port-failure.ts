/**
 * What is said when an action, or another of the pool's ways out into the world, throws. Nothing is
 * decided here: who hears of it does.
 */
import type { SerializedError, PortFailed } from '../../machines/protocol.ts'
import type { ProcessId } from '../../machines/worker-messages.ts'
import { serializeError } from './errors.ts'

/**
 * How the actions of the actors are done: in production at once; a simulation lets one throw, before or
 * after it is done.
 */
export type Around = (actor: string, port: string, action: () => unknown) => unknown

/** An action that threw. `params`: what the command carried. */
export interface ActionFailure {
  readonly port: string
  readonly error: unknown
  readonly params: unknown
}

export function portFailed({ port, error }: ActionFailure): PortFailed {
  return { type: 'port.failed', port, incarnation: null, error: serializedDefect(port, error) }
}

/** Of an action that is about a process: that one is of no use any more, and there need be no defect. */
export function processFailed({ port, error, params }: ActionFailure): PortFailed {
  const { incarnation } = params as ProcessId
  const cause = serializeError(error, 'WORKER_LOST')
  const facts = { code: 'WORKER_LOST', message: `${port} failed: ${cause.message}`, cause }
  return { type: 'port.failed', port, incarnation, error: facts }
}

/** A throw where nothing may throw, as the outcome of whatever it ends. */
export function serializedDefect(where: string, error: unknown): SerializedError {
  const cause = serializeError(error, 'INVARIANT_VIOLATED')
  const message = `${where} failed: ${cause.message}; a defect in Troupe, please report it`
  return { code: 'INVARIANT_VIOLATED', message, cause }
}
