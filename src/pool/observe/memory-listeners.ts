/**
 * Callers who want to know when memory gets short, each at a share of their own choice. It reads
 * nothing itself; whether an edge is passed is decided in machines/policy.ts.
 */
import { isPastEdge } from '../../../machines/policy.ts'
import { TroupeError } from '../../common/errors.ts'
import type { MemoryReading } from '../../monitor/memory.ts'

/** More than this are no listeners but a leak. */
const MAX_MEMORY_LISTENERS = 100

/** What a listener of `pool.onMemory` is told. */
export interface MemoryLevel {
  /** True when the used share has reached the ratio asked for, false when it has left it again. */
  readonly isPast: boolean
  /** Used share of the limit, 0–1. */
  readonly ratio: number
  readonly usedBytes: number
  readonly limitBytes: number
}

interface Edge {
  readonly ratio: number
  readonly listener: (level: MemoryLevel) => void
  isPast: boolean
}

export class MemoryEdges {
  readonly #edges = new Set<Edge>()
  readonly #onError: (error: unknown) => void
  #last: MemoryReading | null = null

  /** `onError`: what a listener threw. The others are told all the same. */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError
  }

  /** @throws CONFIG_INVALID for a ratio that is no share of memory, or for one listener too many */
  add(ratio: number, listener: (level: MemoryLevel) => void): { unsubscribe(): void } {
    if (!(ratio > 0 && ratio <= 1)) {
      throw new TroupeError('CONFIG_INVALID', `ratio: must be above 0 and at most 1, not ${ratio}`)
    }
    if (this.#edges.size >= MAX_MEMORY_LISTENERS) {
      const message = `onMemory: there are ${MAX_MEMORY_LISTENERS} listeners already; unsubscribe some`
      throw new TroupeError('CONFIG_INVALID', message)
    }
    const edge: Edge = { ratio, listener, isPast: false }
    this.#edges.add(edge)
    if (this.#last !== null) this.#look(edge, this.#last)
    return { unsubscribe: () => void this.#edges.delete(edge) }
  }

  look(reading: MemoryReading): void {
    this.#last = reading
    for (const edge of this.#edges) this.#look(edge, reading)
  }

  /** No reading is known any more: whoever asks next waits for the next one. */
  forget(): void {
    this.#last = null
  }

  #look(edge: Edge, { ratio, usedBytes, limitBytes }: MemoryReading): void {
    const isPast = isPastEdge(edge.ratio, edge.isPast, ratio)
    if (isPast === edge.isPast) return
    edge.isPast = isPast
    try {
      edge.listener({ isPast, ratio, usedBytes, limitBytes })
    } catch (error) {
      this.#onError(error)
    }
  }
}
