/** Chance that can be had again: the same seed gives the same draws (mulberry32). */

export interface Random {
  /** In [0, 1). */
  next(): number
  pick<T>(items: readonly T[]): T
  shuffled<T>(items: readonly T[]): T[]
}

export function randomOf(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const pick = <T>(items: readonly T[]) => items[Math.floor(next() * items.length)] as T
  const shuffled = <T>(items: readonly T[]) =>
    items
      .map((item): [number, T] => [next(), item])
      .sort(([a], [b]) => a - b)
      .map(([, item]) => item)
  return { next, pick, shuffled }
}
