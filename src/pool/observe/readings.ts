/**
 * Readings of the machine and of the workers, once an interval, for the supervisor. What they mean
 * is the supervisor's to judge; the last ones are kept for `status()`.
 */
import type { Reading, SlotId } from '../../../machines/protocol.ts'
import type { ProcessId } from '../../../machines/worker-messages.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import type { Monitor, MonitorReading } from '../../monitor/monitor.ts'
import { READERS } from '../../monitor/readers.ts'
import type { Logger } from '../../common/logger.ts'
import { watchReader } from './alarms.ts'
import type { PoolAlerts } from './alerts.ts'
import type { PoolEventEmitter } from './emitter.ts'
import { MemoryEdges } from './memory-listeners.ts'
import type { Router } from '../router.ts'
import type { World } from '../host/world.ts'
import { keyOf, type ProcessKey } from '../../common/process-key.ts'
import type { WorkerHandle } from '../../process/worker-handle.ts'

const EXACT_EVERY_MS = 20_000
const idOf = ({ init }: WorkerHandle): ProcessId => ({
  slot: init.slot as SlotId,
  incarnation: init.incarnation,
})

interface WatchPorts {
  readonly world: World
  readonly events: PoolEventEmitter
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
      onReading: (reading) => this.#send(reading),
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

  #send(seen: MonitorReading<ProcessKey>): void {
    for (const reader of READERS) {
      const error = seen.failed[reader] ?? null
      const isNew = watchReader(this.#ports.alerts, reader, error)
      if (isNew) this.#ports.logger.warn(`cannot read ${reader}`, { reader, error })
    }
    const { workers, queued } = this.#ports.ledger()
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
      utilization: workers.capacity === 0 ? 0 : workers.used / workers.capacity,
      queued,
      ready: this.#countServed(),
      workers: this.#ports.living().map((process) => {
        const id = idOf(process)
        const worker = workers.find(id.slot, id.incarnation)
        return {
          ...id,
          serving: worker?.isOpen === true,
          memoryBytes: this.memoryOf(id) ?? 0,
          // When we were held up ourselves, a silence is partly our own.
          silentMs: Math.max(0, nowMs - process.lastFrameAtMs - seen.lateMs),
          busy: (worker?.tasks.size ?? 0) > 0,
        }
      }),
    }
    this.#ports.router.send('host', 'supervisor', { type: 'reading.taken', reading })
    if (seen.memory !== null) this.edges.look(seen.memory)
  }
}
