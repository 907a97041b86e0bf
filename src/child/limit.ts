/**
 * Waiting with a limit. No promise of a browser is ever awaited without one: a hung renderer answers nothing, for ever.
 */
import { TroupeError } from '../errors.ts'

/** Resolves or rejects as `promise` does, or rejects once `limitMs` have passed. */
export function within<T>(limitMs: number, what: string, promise: Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new TroupeError('BROWSER_LOST', `${what} took longer than ${limitMs} ms.`))
    }, limitMs)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

/** True if `promise` resolves within `limitMs`; false if it rejects or is late. Never rejects. */
export function succeeds(limitMs: number, promise: Promise<unknown>): Promise<boolean> {
  return within(limitMs, 'it', promise).then(
    () => true,
    () => false,
  )
}
