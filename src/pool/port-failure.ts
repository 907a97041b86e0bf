/**
 * What is said when a deed, or another of the pool's ways out into the world, throws. Nothing is
 * decided here: who hears of it does.
 */
import type { ErrorFacts, PortFailed } from '../../machines/vocabulary.ts'
import type { ProcessId } from '../../machines/worker-words.ts'
import { toErrorFacts } from '../errors.ts'

/**
 * How the deeds of the actors are done: in production at once; a simulation lets one throw, before or
 * after it is done.
 */
export type Around = (actor: string, port: string, deed: () => unknown) => unknown

/** A deed that threw. `params`: what the command carried. */
export interface DeedFailure {
  readonly port: string
  readonly error: unknown
  readonly params: unknown
}

export function portFailed({ port, error }: DeedFailure): PortFailed {
  return { type: 'port.failed', port, incarnation: null, error: defectFacts(port, error) }
}

/** Of a deed that is about a process: that one is of no use any more, and there need be no defect. */
export function processFailed({ port, error, params }: DeedFailure): PortFailed {
  const { incarnation } = params as ProcessId
  const cause = toErrorFacts(error, 'WORKER_LOST')
  const facts = { code: 'WORKER_LOST', message: `${port} failed: ${cause.message}`, cause }
  return { type: 'port.failed', port, incarnation, error: facts }
}

/** A throw where nothing may throw, as the outcome of whatever it ends. */
export function defectFacts(where: string, error: unknown): ErrorFacts {
  const cause = toErrorFacts(error, 'INVARIANT_VIOLATED')
  const message = `${where} failed: ${cause.message}; a defect in Troupe, please report it`
  return { code: 'INVARIANT_VIOLATED', message, cause }
}
