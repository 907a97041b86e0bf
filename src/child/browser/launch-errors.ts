/**
 * What a failed session means: whether another start could go better, and the words for the operator.
 */
import type { SessionFailure } from '../../../machines/session.setup.ts'
import type { SerializedError } from '../../../machines/protocol.ts'
import { isTroupeError, TroupeError } from '../../common/errors.ts'
import { boundedError } from '../error-bounds.ts'

const UNLAUNCHABLE: ReadonlySet<unknown> = new Set(['ENOENT', 'EACCES'])

/** True when the executable is missing or may not be run: starting again would fail the same way. */
export function isUnlaunchable(error: unknown): boolean {
  if (isTroupeError(error, 'BROWSER_NOT_FOUND')) return true
  return error instanceof Error && UNLAUNCHABLE.has(Reflect.get(error, 'code'))
}

/** The facts of `sessionFailed`. */
export function serializedSessionFailure(
  failure: SessionFailure | null,
  cause: unknown,
): SerializedError {
  if (failure === 'launchFailed' && isTroupeError(cause)) return boundedError(cause)
  const reason = cause instanceof Error ? ` ${cause.message}` : ''
  const code = isUnlaunchable(cause) ? 'BROWSER_NOT_FOUND' : 'WORKER_START_FAILED'
  return boundedError(new TroupeError(code, `${sentenceOf(failure)}${reason}`, { cause }))
}

function sentenceOf(failure: SessionFailure | null): string {
  switch (failure) {
    case 'launchTimedOut':
      return 'The browser did not start in time.'
    case 'relaunchesExhausted':
      return 'The browser was lost and could not be started again.'
    case 'loginFailed':
      return 'The login hook failed.'
    case 'loginTimedOut':
      return 'The login hook did not end in time.'
    default:
      return 'The browser did not start.'
  }
}
