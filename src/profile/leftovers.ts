/**
 * Profiles that could not be deleted: something still held them. They are tried again, each time
 * after a longer wait, until they are gone or the run ends, which takes them along.
 */
import { existsSync } from 'node:fs'
import { removeFolder } from '../process/own-folder.ts'

/**
 * ms before the n-th further try; the last wait repeats. The first are soon: on a busy machine a
 * killed browser's helpers write for a moment longer than the browser lives.
 */
const RETRY_DELAYS_MS: readonly number[] = [100, 300, 700, 2_000, 4_000, 8_000, 16_000, 32_000]
/**
 * ms until a deleted folder is looked at again: a browser that was in its exec when its worker was
 * killed could not be seen, and writes its profile once more before it finds its pipe closed.
 */
const SECOND_LOOK_MS = 700
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
  readonly #deleted = new Map<string, NodeJS.Timeout>()

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
    this.#lookAgain(folder)
  }

  forget(folder: string): void {
    for (const timers of [this.#waiting, this.#deleted]) {
      clearTimeout(timers.get(folder))
      timers.delete(folder)
    }
  }

  stop(): void {
    for (const folder of [...this.#waiting.keys(), ...this.#deleted.keys()]) this.forget(folder)
  }

  #lookAgain(folder: string): void {
    const timer = setTimeout(() => {
      this.#deleted.delete(folder)
      if (existsSync(folder)) this.#remove(folder).catch(() => this.#retry(folder, 0))
    }, SECOND_LOOK_MS)
    this.#deleted.set(folder, timer.unref())
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
