/**
 * Callers that wait for room in the queue, first come, first served. Each takes its turn when there
 * is room, or when the pool takes no tasks any more: then its turn tells it so. Nobody waits for ever,
 * and nobody is woken in vain.
 */
import { TroupeError } from '../../common/errors.ts'
import type { PoolRuntime } from '../runtime.ts'
import { type PoolMachineActor, isDraining, isUp } from '../states.ts'

/** Callers of `run`, `map` and `accepting` that wait at once. */
const MAX_WAITING_CALLERS = 100_000

interface WaitingTask {
  readonly id: string
  readonly name: string
  readonly payload: unknown
}

export class WaitingRoom {
  readonly #actor: PoolMachineActor
  readonly #runtime: PoolRuntime
  readonly #turns = new Set<() => void>()
  #subscription: { unsubscribe(): void } | null = null

  constructor(actor: PoolMachineActor, runtime: PoolRuntime) {
    this.#actor = actor
    this.#runtime = runtime
  }

  /** There is room, and nobody waits for it. */
  get isOpen(): boolean {
    return this.#turns.size === 0 && this.#hasRoom
  }

  /**
   * What `enter` returns or throws when it is this caller's turn. @throws TASK_CANCELLED when its
   * signal is aborted first, QUEUE_FULL when too many wait
   */
  wait<T>(enter: () => T, task: WaitingTask, signal?: AbortSignal): Promise<T> {
    const { id, name, payload } = task
    const refusal = { task: { id, name, payload } }
    if (this.#turns.size >= MAX_WAITING_CALLERS) {
      const message = `${MAX_WAITING_CALLERS} callers wait for room already`
      throw new TroupeError('QUEUE_FULL', message, refusal)
    }
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const leave = () => {
      this.#turns.delete(turn)
      signal?.removeEventListener('abort', give)
    }
    const give = () => {
      leave()
      const message = 'the task was cancelled while it waited for room in the queue'
      reject(new TroupeError('TASK_CANCELLED', message, refusal))
    }
    const turn = () => {
      leave()
      try {
        resolve(enter())
      } catch (error) {
        reject(error as Error)
      }
    }
    this.#turns.add(turn)
    signal?.addEventListener('abort', give, { once: true })
    if (signal?.aborted === true) give()
    this.#watch()
    return this.#runtime.pendingWork.during(promise)
  }

  get #hasRoom(): boolean {
    return (this.#runtime.ledger?.counts.pending ?? 0) < this.#runtime.config.maxQueue
  }

  #watch(): void {
    if (this.#turns.size === 0) {
      this.#subscription?.unsubscribe()
      this.#subscription = null
      return
    }
    this.#runtime.ledger?.awaitRoom(this.#runtime.config.maxQueue, this.#letInSoon)
    const letIn = this.#letInSoon
    this.#subscription ??= this.#actor.subscribe({ next: letIn, error: letIn })
  }

  /** Not in the middle of a step of the pool: what it is by then, it does not show yet. */
  readonly #letInSoon = (): void => queueMicrotask(() => this.#letIn())

  #letIn(): void {
    const { value, status } = this.#actor.getSnapshot()
    const takesTasks = status === 'active' && isUp(value) && !isDraining({ value })
    for (const turn of this.#turns) {
      if (takesTasks && !this.#hasRoom) break
      turn()
    }
    this.#watch()
  }
}
