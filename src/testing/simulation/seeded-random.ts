/** Chance from a seed: the same seed gives the same numbers, on every machine. Never for secrets. */

/** Numbers of 32 bits; sfc32, which passes the usual batteries of tests and has a long period. */
export class SeededRandom {
  #a: number
  #b: number
  #c: number
  #d = 1

  /** @param seed A whole number from 0 to 2^53 − 1. */
  constructor(seed: number) {
    this.#a = seed >>> 0
    this.#b = Math.floor(seed / 2 ** 32) >>> 0
    this.#c = 0x9e3779b9
    for (let warm = 0; warm < 12; warm++) this.#next()
  }

  /** At least 0, below 1. */
  readonly fraction = (): number => this.#next() / 2 ** 32

  /** A whole number from `least` to `most`, both included. */
  int(least: number, most: number): number {
    return least + Math.floor(this.fraction() * (most - least + 1))
  }

  chance(share: number): boolean {
    return share > 0 && this.fraction() < share
  }

  pick<T>(from: readonly [T, ...T[]] | readonly T[]): T {
    return from[Math.floor(this.fraction() * from.length)] as T
  }

  #next(): number {
    const sum = (this.#a + this.#b + this.#d) | 0
    this.#d = (this.#d + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (this.#c << 21) | (this.#c >>> 11)
    this.#c = (this.#c + sum) | 0
    return sum >>> 0
  }
}

/**
 * A seed as a user gives it.
 *
 * @throws TypeError when it is no whole number from 0 to 2^53 − 1.
 */
export function parseSeed(given: unknown): number {
  const text = typeof given === 'string' ? given.trim() : given
  const seed = text === '' || text === null || typeof text === 'boolean' ? Number.NaN : Number(text)
  if (Number.isSafeInteger(seed) && seed >= 0) return seed
  throw new TypeError(`seed: must be a whole number from 0 to 2^53 − 1, not ${String(given)}`)
}
