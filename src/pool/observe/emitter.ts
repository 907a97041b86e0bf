/**
 * The pool's news for whoever listens. A listener that throws harms nobody but its own line in the
 * log.
 */
import type { PoolEvents } from '../../api/events.ts'

type Listener<T extends keyof PoolEvents> = (event: PoolEvents[T]) => void
export interface Subscription {
  unsubscribe(): void
}

export class PoolEventEmitter {
  readonly #listeners = new Map<string, Set<(event: never) => void>>()
  readonly #onError: (error: unknown, type: string) => void

  constructor(onError: (error: unknown, type: string) => void) {
    this.#onError = onError
  }

  on<T extends keyof PoolEvents>(type: T, listener: Listener<T>): Subscription {
    const listeners = this.#listeners.get(type) ?? new Set()
    listeners.add(listener)
    this.#listeners.set(type, listeners)
    return { unsubscribe: () => void listeners.delete(listener) }
  }

  /** `make` runs only when somebody listens: news of a task costs nothing otherwise. */
  emit<T extends keyof PoolEvents>(type: T, make: () => PoolEvents[T]): void {
    const listeners = this.#listeners.get(type)
    if (listeners === undefined || listeners.size === 0) return
    const event = make()
    for (const listener of listeners) {
      try {
        ;(listener as Listener<T>)(event)
      } catch (error) {
        this.#onError(error, type)
      }
    }
  }
}
