/**
 * Waiting with a limit. No promise of a browser is ever awaited without one: a hung renderer answers nothing, for ever.
 */
import { TroupeError } from '../common/errors.ts'

/** Resolves or rejects as `promise` does, or rejects once `limitMs` have passed. */
export function within<T>(limitMs: number, what: string, promise: Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new TroupeError('BROWSER_LOST', `${what} took longer than ${limitMs} ms`))
    }, limitMs)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

/** How it went with `promise` within `limitMs`. Never rejects. */
export function outcomeOf(
  limitMs: number,
  promise: Promise<unknown>,
): Promise<'resolved' | 'rejected' | 'late'> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve('late'), limitMs)
    promise
      .then(
        () => resolve('resolved'),
        () => resolve('rejected'),
      )
      .finally(() => clearTimeout(timer))
  })
}

/** True if `promise` resolves within `limitMs`; false if it rejects or is late. Never rejects. */
export async function succeeds(limitMs: number, promise: Promise<unknown>): Promise<boolean> {
  return (await outcomeOf(limitMs, promise)) === 'resolved'
}
