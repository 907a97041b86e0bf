/**
 * What a worker remembers between its tasks, as handlers see it: `session` of their context. It never acts by itself.
 */
import { TroupeError } from '../../common/errors.ts'
import { DEFAULT_SESSION, type SessionFacts } from '../../task/session-definition.ts'

/** Thrown by `session.expired()`. An attempt that ends with it is released, not failed. */
export class SessionExpired extends TroupeError {
  constructor(reason: string) {
    super('TASK_FAILED', `The session's login is gone: ${reason}`)
  }
}

export class SessionMemory implements SessionFacts {
  /** Set once, when the session is opened. */
  name = DEFAULT_SESSION
  readonly store = new Map<string, unknown>()
  /** Counted by the session host. */
  logins = 0

  expired(reason = 'a task said so'): never {
    throw new SessionExpired(reason)
  }
}
