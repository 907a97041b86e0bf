/**
 * Readings of the machine and of the workers, once an interval, for the supervisor. What they mean
 * is the supervisor's to judge; the last ones are kept for `status()`.
 */
import type { SupervisorToPool } from '../machines/supervisor-words.ts'
import type { Reading, SlotId } from '../machines/vocabulary.ts'
import type { Ledger } from './ledger/ledger.ts'
import type { Clock } from './ledger/ports.ts'
import { createMonitor, type Monitor, type MonitorReading } from './monitor/monitor.ts'
import type { PoolNews } from './pool-events.ts'
import type { WorkerProcess } from './worker/worker-process.ts'

const EXACT_EVERY_MS = 20_000
const MAX_INTERVAL_MS = 2_000

export interface WatchPorts {
  readonly clock: Clock
  readonly news: PoolNews
  ledger(): Ledger
  living(): WorkerProcess[]
  readySlots(): number
  tellReading(reading: Reading): void
  problem(error: Error): void
}

export class PoolWatch {
  health: 'healthy' | 'degraded' | 'critical' = 'healthy'
  memoryRatio = 0
  readonly memoryBytes = new Map<SlotId, number>()
  readonly #intervalMs: number
  readonly #ports: WatchPorts
  #monitor: Monitor | null = null

  constructor(heartbeatMs: number, ports: WatchPorts) {
    this.#intervalMs = Math.min(heartbeatMs, MAX_INTERVAL_MS)
    this.#ports = ports
  }

  begin(): void {
    this.#monitor ??= createMonitor<SlotId>({
      intervalMs: this.#intervalMs,
      exactEveryMs: EXACT_EVERY_MS,
      pids: () => this.#pids(),
      onReading: (reading) => this.#tell(reading),
      onProblem: (error) => this.#ports.problem(error),
    })
  }

  /** Of a slot with two processes, the one that serves. */
  #pids(): Map<SlotId, number> {
    const pids = new Map<SlotId, number>()
    for (const process of this.#ports.living()) {
      const slot = process.birth.slot as SlotId
      if (process.pid === null) continue
      if (!pids.has(slot) || this.#serves(process)) pids.set(slot, process.pid)
    }
    return pids
  }

  #serves(process: WorkerProcess): boolean {
    const { slot, incarnation } = process.birth
    return this.#ports.ledger().seats.find(slot as SlotId, incarnation)?.isOpen === true
  }

  end(): void {
    this.#monitor?.stop()
    this.#monitor = null
    this.memoryBytes.clear()
  }

  /** What the supervisor has concluded. */
  note(event: SupervisorToPool): void {
    if (event.type === 'health.changed') this.health = event.health
    if (event.type === 'pool.scale') {
      const { workers } = event
      this.#ports.news.tell('pool.scaled', () => ({ workers }))
    }
    if (event.type === 'memory.changed') {
      const { band, ratio } = event
      this.#ports.news.tell('memory.changed', () => ({ band, ratio }))
    }
  }

  #tell(seen: MonitorReading<SlotId>): void {
    const { clock } = this.#ports
    const { seats, queued } = this.#ports.ledger()
    this.memoryRatio = seen.memory.usedBytes / seen.memory.limitBytes
    for (const worker of seen.workers) this.memoryBytes.set(worker.slot, worker.memoryBytes)
    const busy = new Set(seats.all().flatMap((seat) => (seat.tasks.size > 0 ? [seat.slot] : [])))
    const nowMs = Date.now()
    this.#ports.tellReading({
      atMs: clock.nowMs(),
      memoryRatio: this.memoryRatio,
      utilization: seats.capacity === 0 ? 0 : seats.used / seats.capacity,
      queued,
      ready: this.#ports.readySlots(),
      workers: this.#ports.living().map((process) => {
        const slot = process.birth.slot as SlotId
        return {
          slot,
          incarnation: process.birth.incarnation,
          serving: this.#serves(process),
          memoryBytes: this.memoryBytes.get(slot) ?? 0,
          // When we were held up ourselves, a silence is partly our own.
          silentMs: Math.max(0, nowMs - process.lastFrameAt - seen.lateMs),
          busy: busy.has(slot),
        }
      }),
    })
  }
}
