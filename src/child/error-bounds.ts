/**
 * Facts of anything a handler may throw, of bounded size. A page can put megabytes into an error's message.
 */
import type { SerializedError } from '../../machines/protocol.ts'
import { type TroupeErrorCode, serializeError } from '../common/errors.ts'

/** A message or a stack is cut here. */
const MAX_ERROR_TEXT = 16 * 1024

/** Longer than any code anybody has thought of. */
const MAX_CODE = 256

export function boundedError(
  thrown: unknown,
  code: TroupeErrorCode = 'TASK_FAILED',
): SerializedError {
  try {
    return bounded(serializeError(thrown, code))
  } catch {
    // Thrown values can be hostile: no prototype, or a getter that throws.
    return { code, message: 'Something was thrown that does not describe itself.' }
  }
}

function bounded(facts: SerializedError): SerializedError {
  return {
    code: typeof facts.code === 'string' ? facts.code.slice(0, MAX_CODE) : 'TASK_FAILED',
    ...(typeof facts.retryable === 'boolean' ? { retryable: facts.retryable } : {}),
    ...(facts.ownCode === undefined ? {} : { ownCode: facts.ownCode }),
    message: String(facts.message).slice(0, MAX_ERROR_TEXT),
    ...(facts.name === undefined ? {} : { name: String(facts.name).slice(0, MAX_ERROR_TEXT) }),
    ...(facts.stack === undefined ? {} : { stack: String(facts.stack).slice(0, MAX_ERROR_TEXT) }),
    ...(facts.cause === undefined ? {} : { cause: bounded(facts.cause) }),
  }
}
