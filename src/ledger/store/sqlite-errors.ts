/**
 * What SQLite says, as errors of ours: a full disk can be waited for, a file that cannot be read
 * needs its operator. It never hides the original: that is the cause.
 */
import { TroupeError, type TroupeErrorCode } from '../../common/errors.ts'

/** SQLite's primary result codes. */
const BUSY = 5
const CORRUPT = 11
const FULL = 13
const TOO_BIG = 18
const NOT_A_DATABASE = 26

/** The primary result code of an error SQLite threw, or 0. */
function codeOf(thrown: unknown): number {
  const { errcode } = (thrown ?? {}) as { errcode?: unknown }
  return typeof errcode === 'number' ? errcode & 0xff : 0
}

export function isBusy(thrown: unknown): boolean {
  return codeOf(thrown) === BUSY
}

export function isUnreadable(thrown: unknown): boolean {
  return [CORRUPT, NOT_A_DATABASE].includes(codeOf(thrown))
}

/** What went wrong while `path` was written or read. */
export function storeError(path: string, cause: unknown): TroupeError {
  const code = codeOf(cause)
  const why = cause instanceof Error ? cause.message : String(cause)
  if (code === FULL) {
    const message = `the store ${path} cannot grow: ${why}. Make room on its disk, or raise store.maxBytes.`
    return new TroupeError('STORE_FULL', message, { cause })
  }
  if (code === TOO_BIG) {
    return new TroupeError('PAYLOAD_INVALID', `the task is too big for the store: ${why}`, {
      cause,
    })
  }
  if (isUnreadable(cause)) return unreadable(path, why, cause)
  return new TroupeError('STORE_FAILED', `the store ${path}: ${why}`, { cause })
}

export function unreadable(path: string, why: string, cause?: unknown): TroupeError {
  const code: TroupeErrorCode = 'STORE_UNREADABLE'
  const message = `the store ${path} cannot be used: ${why}. Nothing was changed in it.`
  return new TroupeError(code, message, cause === undefined ? {} : { cause })
}
