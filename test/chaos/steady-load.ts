/** A stream of honest tasks that never runs dry: as one ends, the next is handed in. */
import type { ClientOracle } from './client-oracle.ts'

/** One task in so many needs no browser. */
const PLAIN_EVERY = 5
const OPTIONS = { attempts: 12, timeout: 3_000, backoff: { delay: 20, maxDelay: 200 } } as const

interface SteadyLoad {
  readonly ended: number
  /** Hands in no more. Resolves when what is under way has ended. */
  stop(): Promise<void>
}

export function startLoad(oracle: ClientOracle, concurrency: number): SteadyLoad {
  const stopping = new AbortController()
  let number = 0
  let ended = 0
  const one = async () => {
    while (!stopping.signal.aborted) {
      const order = ++number
      const handle =
        order % PLAIN_EVERY === 0
          ? oracle.submit('double', order, OPTIONS, order * 2)
          : oracle.submit('visit', order, OPTIONS, `order ${order}`)
      await handle.outcome()
      ended++
    }
  }
  const lanes = Array.from({ length: concurrency }, one)
  return {
    get ended() {
      return ended
    },
    stop: async () => {
      stopping.abort()
      await Promise.all(lanes)
    },
  }
}
