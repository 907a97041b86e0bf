/**
 * Profiles that could not be deleted: something still held them. They are tried again, each time
 * after a longer wait, until they are gone or the run ends, which takes them along.
 */
import { removeFolder } from '../worker/own-folder.ts'

/**
 * ms before the n-th further try; the last wait repeats. The first are soon: on a busy machine a
 * killed browser's helpers write for a moment longer than the browser lives.
 */
export const RETRY_DELAYS_MS: readonly number[] = [
  100, 300, 700, 2_000, 4_000, 8_000, 16_000, 32_000,
]
/** Tries of one folder; then only `clean` and the end of the run try again. */
export const MAX_TRIES = 20

export interface LeftoversOptions {
  /** Default: the folder and all in it, with a few quick retries. */
  readonly remove?: (folder: string) => Promise<void>
  readonly delaysMs?: readonly number[]
  /** Told when a leftover is gone after all, or given up. */
  readonly onEnd?: (folder: string, isGone: boolean) => void
}

export class Leftovers {
  readonly #options: LeftoversOptions
  readonly #waiting = new Map<string, NodeJS.Timeout>()

  constructor(options: LeftoversOptions = {}) {
    this.#options = options
  }

  /** How many wait for their next try. */
  get size(): number {
    return this.#waiting.size
  }

  /** Deletes the folder. Rejects when that fails, and goes on trying. */
  async remove(folder: string): Promise<void> {
    this.forget(folder)
    try {
      await this.#remove(folder)
    } catch (error) {
      this.#retry(folder, 0)
      throw error
    }
  }

  forget(folder: string): void {
    clearTimeout(this.#waiting.get(folder))
    this.#waiting.delete(folder)
  }

  stop(): void {
    for (const folder of this.#waiting.keys()) this.forget(folder)
  }

  #remove(folder: string): Promise<void> {
    return (this.#options.remove ?? removeFolder)(folder)
  }

  #retry(folder: string, tries: number): void {
    const { delaysMs = RETRY_DELAYS_MS, onEnd } = this.#options
    if (tries >= MAX_TRIES) return onEnd?.(folder, false)
    const delayMs = delaysMs[Math.min(tries, delaysMs.length - 1)]
    const timer = setTimeout(() => {
      this.#waiting.delete(folder)
      this.#remove(folder).then(
        () => onEnd?.(folder, true),
        () => this.#retry(folder, tries + 1),
      )
    }, delayMs)
    this.#waiting.set(folder, timer.unref())
  }
}
