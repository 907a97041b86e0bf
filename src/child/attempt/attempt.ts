/**
 * One start of a task in this process: its signal, and whether and why it is being stopped. It ends once. Cheap to
 * make, for a task without a browser may take microseconds: the AbortController comes only when somebody asks.
 */
import type { CancelReason } from '../../../machines/protocol.ts'
import { TroupeError, type TroupeErrorCode } from '../../common/errors.ts'
import type { RunOrder } from '../../process/ipc/protocol.ts'

const CODE_OF: Readonly<Record<CancelReason, TroupeErrorCode>> = {
  requested: 'TASK_CANCELLED',
  shutdown: 'TASK_CANCELLED',
  timedOut: 'TASK_TIMED_OUT',
  expired: 'TASK_EXPIRED',
}
const MESSAGE_OF: Readonly<Record<CancelReason, string>> = {
  requested: 'The task was cancelled.',
  shutdown: 'The task was cancelled: the pool shuts down.',
  timedOut: 'The task ran longer than its timeout.',
  expired: 'The task missed its deadline.',
}

export class Attempt {
  readonly taskId: string
  readonly attempt: number
  /** What the pool knows this attempt by. */
  readonly token: number
  readonly name: string
  readonly payload: unknown
  readonly dependencies: RunOrder['dependencies']
  /** On the clock of `performance.now()`. */
  startedMs = 0
  ended = false
  /** Set once the pool has asked to stop it: from then on it ends as cancelled, however it ends. */
  stopReason: CancelReason | null = null
  /** Called once when it has ended. */
  onEnded: (() => void) | null = null
  #stopError: TroupeError | null = null
  #controller: AbortController | null = null

  constructor(order: RunOrder) {
    this.taskId = order.taskId
    this.attempt = order.attempt
    this.token = order.token
    this.name = order.name
    this.payload = order.payload
    this.dependencies = order.dependencies
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController()
      if (this.#stopError !== null) this.#controller.abort(this.#stopError)
    }
    return this.#controller.signal
  }

  /** Aborts the signal. The first error stays. */
  abort(error: TroupeError): void {
    if (this.#stopError !== null) return
    this.#stopError = error
    this.#controller?.abort(error)
  }

  stop(reason: CancelReason): void {
    if (this.stopReason !== null) return
    this.stopReason = reason
    this.abort(stopErrorOf(reason))
  }

  end(): void {
    this.ended = true
    this.onEnded?.()
    this.onEnded = null
  }
}

/** The error a stopped attempt ends with; `cause` is what its handler threw, if it threw. */
export function stopErrorOf(reason: CancelReason, cause?: unknown): TroupeError {
  return new TroupeError(CODE_OF[reason], MESSAGE_OF[reason], cause === undefined ? {} : { cause })
}
