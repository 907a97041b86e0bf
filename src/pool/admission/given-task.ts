/** A refusal hands the task back: the submitter's own object, not the pool's copy of it. */
import { TroupeError } from '../../common/errors.ts'

/** A task in the submitter's own words. */
export interface Given {
  readonly id: string
  readonly name: string
  readonly payload: unknown
}

interface Drafted {
  readonly id: string
  readonly name: string
  readonly given: unknown
}

/** Runs a check. What it refuses carries the task. */
export function handingBack<T>(task: Given, check: () => T): T {
  try {
    return check()
  } catch (error) {
    throw handedBack(task, error)
  }
}

/** What to throw in place of `error`. */
export function handedBack(task: Given, error: unknown): unknown {
  if (!(error instanceof TroupeError) || error.task !== undefined) return error
  const { code, message, cause, retryable } = error
  return new TroupeError(code, message, { cause, retryable, task })
}

export function givenOf({ id, name, given }: Drafted): Given {
  return { id, name, payload: given }
}
