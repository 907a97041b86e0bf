/**
 * Readings of the machine and of the workers, once an interval, for the supervisor. What they mean
 * is the supervisor's to judge; the last ones are kept for `status()`.
 */
import type { Reading, SlotId } from '../../machines/vocabulary.ts'
import type { ProcessId } from '../../machines/worker-words.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Monitor, MonitorReading } from '../monitor/monitor.ts'
import { READERS } from '../monitor/readers.ts'
import type { Logger } from '../logger.ts'
import { watchReader } from './alarms.ts'
import type { PoolAlerts } from './alerts.ts'
import type { PoolNews } from './events.ts'
import { MemoryEdges } from './memory.ts'
import type { Router } from './router.ts'
import type { World } from './world.ts'
import type { WorkerHandle } from '../worker/worker-handle.ts'

const EXACT_EVERY_MS = 20_000

/** One process: while a slot is recycled it has two, and each is measured. */
export type ProcessKey = `${SlotId}#${number}`
const keyOf = ({ slot, incarnation }: ProcessId): ProcessKey => `${slot}#${incarnation}`
const idOf = ({ birth }: WorkerHandle): ProcessId => ({
  slot: birth.slot as SlotId,
  incarnation: birth.incarnation,
})

export interface WatchPorts {
  readonly world: World
  readonly news: PoolNews
  ledger(): Ledger
  living(): WorkerHandle[]
  /** Slots that are to serve, and those that are ready. */
  slots(): { readonly serving: readonly SlotId[]; readonly ready: readonly SlotId[] } | null
  /** Where profiles and artifacts are written. */
  folders(): readonly string[]
  readonly router: Pick<Router, 'send'>
  readonly alerts: PoolAlerts
  readonly logger: Logger
}

export class PoolWatch {
  health: 'healthy' | 'degraded' | 'critical' = 'healthy'
  band: 'normal' | 'pressure' | 'critical' = 'normal'
  /** The last reading of the machine; null before the first. */
  last: MonitorReading<ProcessKey> | null = null
  readonly edges: MemoryEdges
  /** Slots that served, and were lost since the last reading. */
  readonly #lost = new Set<SlotId>()
  readonly #memoryBytes = new Map<ProcessKey, number>()
  readonly #intervalMs: number
  readonly #ports: WatchPorts
  #monitor: Monitor | null = null

  constructor(intervalMs: number, ports: WatchPorts) {
    this.#intervalMs = intervalMs
    this.#ports = ports
    this.edges = new MemoryEdges((error) => this.#problem(error))
  }

  begin(): void {
    this.#monitor ??= this.#ports.world.createMonitor({
      intervalMs: this.#intervalMs,
      exactEveryMs: EXACT_EVERY_MS,
      pids: () => this.#pids(),
      folders: this.#ports.folders(),
      onReading: (reading) => this.#tell(reading),
      onProblem: (error) => this.#problem(error),
    })
  }

  /** Bytes of a process and its browser; null before it was first measured. */
  memoryOf(id: ProcessId): number | null {
    return this.#memoryBytes.get(keyOf(id)) ?? null
  }

  /** Bytes of the larger one of a slot's processes. */
  largestOf(slot: SlotId): number {
    const sizes = [...this.#memoryBytes].filter(([key]) => key.startsWith(`${slot}#`))
    return Math.max(0, ...sizes.map(([, bytes]) => bytes))
  }

  /** Bytes of all processes. */
  get workersBytes(): number {
    return [...this.#memoryBytes.values()].reduce((sum, bytes) => sum + bytes, 0)
  }

  end(): void {
    this.#monitor?.stop()
    this.#monitor = null
    this.#memoryBytes.clear()
    this.#lost.clear()
    this.edges.forget()
    this.last = null
    for (const reader of READERS) watchReader(this.#ports.alerts, reader, null)
  }

  /** It served until now. */
  noteLost(slot: SlotId): void {
    this.#lost.add(slot)
  }

  /**
   * Those that served at some time since the last reading: one that is just then on its way back is not
   * missing.
   */
  #countServed(): number {
    const { serving, ready } = this.#ports.slots() ?? { serving: [], ready: [] }
    const count = serving.filter((slot) => ready.includes(slot) || this.#lost.has(slot)).length
    this.#lost.clear()
    return count
  }

  #problem(error: unknown): void {
    this.#ports.logger.warn('a reading could not be judged', { error })
  }

  #pids(): Map<ProcessKey, number> {
    const living = this.#ports.living()
    return new Map(
      living.flatMap((process) =>
        process.pid === null ? [] : [[keyOf(idOf(process)), process.pid] as const],
      ),
    )
  }

  #tell(seen: MonitorReading<ProcessKey>): void {
    for (const reader of READERS) {
      const error = seen.failed[reader] ?? null
      const isNew = watchReader(this.#ports.alerts, reader, error)
      if (isNew) this.#ports.logger.warn(`cannot read ${reader}`, { reader, error })
    }
    const { seats, queued } = this.#ports.ledger()
    this.last = seen
    this.#memoryBytes.clear()
    // Where a tree of processes cannot be measured, it is unknown, not small.
    for (const { slot: key, memoryBytes } of seen.workers) {
      if (memoryBytes > 0) this.#memoryBytes.set(key, memoryBytes)
    }
    const nowMs = this.#ports.world.clock.nowMs()
    const reading: Reading = {
      atMs: nowMs,
      memoryRatio: seen.memory?.ratio ?? null,
      diskFreeBytes: seen.disk?.freeBytes ?? null,
      utilization: seats.capacity === 0 ? 0 : seats.used / seats.capacity,
      queued,
      ready: this.#countServed(),
      workers: this.#ports.living().map((process) => {
        const id = idOf(process)
        const seat = seats.find(id.slot, id.incarnation)
        return {
          ...id,
          serving: seat?.isOpen === true,
          memoryBytes: this.memoryOf(id) ?? 0,
          // When we were held up ourselves, a silence is partly our own.
          silentMs: Math.max(0, nowMs - process.lastFrameAtMs - seen.lateMs),
          busy: (seat?.tasks.size ?? 0) > 0,
        }
      }),
    }
    this.#ports.router.send('host', 'supervisor', { type: 'reading.taken', reading })
    if (seen.memory !== null) this.edges.look(seen.memory)
  }
}
