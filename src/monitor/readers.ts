/**
 * What a reading is put together from, each part by itself: one that fails or hangs is unknown in that
 * reading and takes nothing else with it.
 */

/** The parts of a reading, by name. */
export const READERS = ['memory', 'processor', 'disk', 'workers'] as const
export type Reader = (typeof READERS)[number]
/** Why a part is unknown. */
export type FailedReaders = Readonly<Partial<Record<Reader, Error>>>

export class ReaderResults {
  readonly #failed: Partial<Record<Reader, Error>> = {}

  get failed(): FailedReaders {
    return this.#failed
  }

  /** What `read` returns; `otherwise` when it throws or rejects. */
  async take<T>(reader: Reader, otherwise: T, read: () => T | Promise<T>): Promise<T> {
    try {
      return await read()
    } catch (error) {
      this.note(reader, error)
      return otherwise
    }
  }

  note(reader: Reader, error: unknown): void {
    this.#failed[reader] ??= error instanceof Error ? error : new Error(String(error))
  }
}

export class NoAnswer extends Error {}

/**
 * A call that may never answer, as `statfs` of a dead network disk. It is waited for with a limit, and
 * not made again while it is still out: each holds a thread.
 */
export class LimitedCall<T> {
  readonly #limitMs: number
  readonly #what: string
  #pending: Promise<T> | null = null

  constructor(what: string, limitMs: number) {
    this.#what = what
    this.#limitMs = limitMs
  }

  /** @throws Error when `call` fails, or has not answered within the limit. */
  async run(call: () => Promise<T>): Promise<T> {
    if (this.#pending !== null) throw this.#noAnswer()
    const pending = call()
    this.#pending = pending
    const free = () => void (this.#pending = null)
    pending.then(free, free)
    const { promise: late, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(() => reject(this.#noAnswer()), this.#limitMs)
    try {
      return await Promise.race([pending, late])
    } finally {
      clearTimeout(timer)
    }
  }

  #noAnswer(): NoAnswer {
    return new NoAnswer(`${this.#what} does not answer`)
  }
}
