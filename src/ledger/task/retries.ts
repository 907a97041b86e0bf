/**
 * Which failures of a handler are worth another attempt, when the task says so itself (`retryOn`).
 * Losses of a worker or a browser, and timeouts, keep their own rules: this looks at handlers only.
 */
import type { SerializedError, Verdict } from '../../../machines/protocol.ts'

/** The handler did not fail by itself: what it ran in was lost. */
const NOT_THE_HANDLERS: ReadonlySet<string> = new Set(['BROWSER_LOST', 'WORKER_LOST'])

/** The verdict on an attempt, once the task's own `retryOn` has been asked. */
export function judged(
  verdict: Verdict,
  error: SerializedError | null,
  retryOn: readonly string[] | undefined,
): Verdict {
  if (verdict !== 'retryable' || retryOn === undefined || error === null) return verdict
  if (NOT_THE_HANDLERS.has(error.code)) return verdict
  return isNamed(error, retryOn) ? verdict : 'permanent'
}

/** By the code or the class of the error, its own code, or those of what caused it. */
function isNamed(error: SerializedError, names: readonly string[]): boolean {
  for (let facts: SerializedError | undefined = error; facts !== undefined; facts = facts.cause) {
    const { code, name, ownCode } = facts
    if ([code, name, ownCode].some((own) => own !== undefined && names.includes(own))) return true
  }
  return false
}
