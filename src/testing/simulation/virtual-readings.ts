/** What a monitor sees of a simulated machine: memory, disk and processes, well or in trouble. */
import type { MonitorReading } from '../../monitor/monitor.ts'
import type { FaultPlan } from './faults.ts'
import type { Scope } from './virtual-clock.ts'
import { virtualWallMs } from './virtual-time.ts'

const MEMORY_BYTES = 16_000_000_000
const USED_RATIO = 0.3
const PRESSED_RATIO = 0.97
/** How long the memory is short, and the disk full. */
const TROUBLE_MS = 10_000
const WORKER_BYTES = 100_000_000
const LEAKED_BYTES = 4_000_000_000
const DISK_BYTES = 100_000_000_000

/** Readers, one after the other as the fault strikes, and at last all of them. */
const FAILING_PARTS = ['memory', 'disk', 'workers', 'all'] as const
type FailingPart = (typeof FAILING_PARTS)[number]
const isReader = (part: FailingPart): part is Exclude<FailingPart, 'all'> => part !== 'all'

export class VirtualReadings {
  readonly #kernel: Scope
  readonly #faults: FaultPlan
  readonly #leaking = new Set<number>()
  #pressedUntilMs = 0
  #fullUntilMs = 0
  /** What cannot be read now; in turn each of them. */
  readonly #failing: Record<FailingPart, number> = { memory: 0, disk: 0, workers: 0, all: 0 }
  #failures = 0

  constructor(kernel: Scope, faults: FaultPlan) {
    this.#kernel = kernel
    this.#faults = faults
  }

  /** Null when none comes. */
  take<Key extends string>(pids: ReadonlyMap<Key, number>): MonitorReading<Key> | null {
    const nowMs = this.#kernel.nowMs()
    if (this.#faults.injects('readingFails')) {
      const part = FAILING_PARTS[this.#failures++ % FAILING_PARTS.length] as FailingPart
      this.#failing[part] = nowMs + TROUBLE_MS
    }
    const reading = this.#whole(pids)
    const fails = (part: FailingPart) => nowMs < this.#failing[part]
    if (fails('all')) return null
    const failed = FAILING_PARTS.filter(isReader).filter(fails)
    return {
      ...reading,
      memory: fails('memory') ? null : reading.memory,
      disk: fails('disk') ? null : reading.disk,
      workers: fails('workers') ? [] : reading.workers,
      failed: Object.fromEntries(failed.map((part) => [part, new Error('EMFILE: simulated')])),
    }
  }

  #whole<Key extends string>(pids: ReadonlyMap<Key, number>): MonitorReading<Key> {
    const nowMs = this.#kernel.nowMs()
    if (this.#faults.injects('memoryPressure')) this.#pressedUntilMs = nowMs + TROUBLE_MS
    if (this.#faults.injects('lowDisk')) this.#fullUntilMs = nowMs + TROUBLE_MS
    const ratio = nowMs < this.#pressedUntilMs ? PRESSED_RATIO : USED_RATIO
    const usedBytes = ratio * MEMORY_BYTES
    return {
      atMs: virtualWallMs(this.#kernel),
      lateMs: 0,
      memory: { limitBytes: MEMORY_BYTES, usedBytes, ratio, source: 'simulated' },
      processorRatio: null,
      disk: {
        totalBytes: DISK_BYTES,
        freeBytes: nowMs < this.#fullUntilMs ? 0 : DISK_BYTES,
      },
      workers: [...pids].map(([slot, pid]) => ({
        slot,
        pid,
        memoryBytes: this.#bytesOf(pid),
        exact: false,
      })),
      failed: {},
    }
  }

  /** The process is gone. */
  forget(pid: number): void {
    this.#leaking.delete(pid)
  }

  #bytesOf(pid: number): number {
    if (!this.#leaking.has(pid) && this.#faults.injects('leak')) this.#leaking.add(pid)
    return this.#leaking.has(pid) ? LEAKED_BYTES : WORKER_BYTES
  }
}
