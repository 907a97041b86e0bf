/**
 * A pool with real processes whose monitor is a test's own: it sees what the test says, when the test
 * says so. Time can be moved on, so that no dwell is sat out.
 */
import type { MonitorReading } from '../../src/monitor/monitor.ts'
import type { FailedReaders } from '../../src/monitor/readers.ts'
import type { ProcessKey } from '../../src/common/process-key.ts'
import { realWorld, type World } from '../../src/pool/host/world.ts'

const LIMIT_BYTES = 1_000_000_000
const ROOMY = { freeBytes: 10_000_000_000, totalBytes: 10_000_000_000 }

interface Sight {
  /** Used share of memory. Default 0.1. */
  readonly memory?: number
  readonly diskFreeBytes?: number
  /** What cannot be read, and why. */
  readonly failed?: FailedReaders
  /** Bytes of each process; who is not named takes 50 MB. */
  readonly bytes?: Readonly<Record<ProcessKey, number>>
}

export class InjectedReadings {
  readonly world: World
  #watch: { pids: () => ReadonlyMap<ProcessKey, number>; send: SendReading } | null = null
  #skewMs = 0

  constructor() {
    const real = realWorld()
    const { nowMs } = real.clock
    this.world = {
      ...real,
      clock: { ...real.clock, nowMs: () => nowMs() + this.#skewMs },
      createMonitor: ({ pids, onReading }) => {
        this.#watch = { pids, send: onReading }
        return { stop: () => (this.#watch = null) }
      },
    }
  }

  /** The pool reads this now. */
  see({ memory = 0.1, diskFreeBytes = ROOMY.freeBytes, bytes = {}, failed = {} }: Sight): void {
    if (this.#watch === null) throw new Error('nobody watches: the pool has not started')
    const { pids, send } = this.#watch
    send({
      atMs: 0,
      lateMs: 0,
      memory: failed.memory
        ? null
        : {
            limitBytes: LIMIT_BYTES,
            usedBytes: memory * LIMIT_BYTES,
            ratio: memory,
            source: 'physical',
          },
      processorRatio: 0.5,
      disk: { ...ROOMY, freeBytes: diskFreeBytes },
      workers: [...pids()].map(([slot, pid]) => ({
        slot,
        pid,
        memoryBytes: bytes[slot] ?? 50_000_000,
        exact: true,
      })),
      failed,
    })
  }

  /** What is read next is read so much later. */
  pass(ms: number): void {
    this.#skewMs += ms
  }
}

type SendReading = (reading: MonitorReading<ProcessKey>) => void
