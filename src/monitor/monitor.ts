/**
 * Looks at the machine and at every worker, once an interval: cheaply each time, exactly one worker
 * at a time and in turn. It tells what it saw and decides nothing. A reading that fails is told,
 * never thrown.
 */
import { readParents } from '../worker/process-group.ts'
import { type DiskReading, readDisk } from './disk.ts'
import { type MemoryReading, readMemory } from './memory.ts'
import { busyRatio, type ProcessorTimes, readProcessorTimes } from './processor.ts'
import { readTreePss } from './tree.ts'

export interface MonitorOptions<Slot extends string = string> {
  /** ms between readings. */
  readonly intervalMs: number
  /** ms after which a worker's exact reading is too old. */
  readonly exactEveryMs: number
  /** The process of each slot that has one. Asked at each reading. */
  readonly pids: () => ReadonlyMap<Slot, number>
  readonly onReading: (reading: MonitorReading<Slot>) => void
  /** Told of a reading that failed. The next one comes as usual. */
  readonly onProblem?: (error: Error) => void
  /** Folders whose disks are watched. */
  readonly folders?: readonly string[]
}

export interface WorkerMemory<Slot extends string = string> {
  readonly slot: Slot
  readonly pid: number
  /** PSS of the process tree in bytes; between exact readings an estimate. */
  readonly memoryBytes: number
  readonly exact: boolean
}

export interface MonitorReading<Slot extends string = string> {
  /** ms of the system's clock. */
  readonly atMs: number
  /** ms this reading came too late, because the pool's own process was held up. */
  readonly lateMs: number
  readonly memory: MemoryReading
  /** Share of all processors used since the last reading, 0–1; null at first. */
  readonly processorRatio: number | null
  /** The disk with the least room, of those that hold the folders. Null when there are none. */
  readonly disk: DiskReading | null
  readonly workers: readonly WorkerMemory<Slot>[]
}

export interface Monitor {
  /** No reading is told after this. */
  stop(): void
}

/** What an exact reading taught about a process tree. */
interface Calibration {
  readonly pid: number
  readonly atMs: number
  /** Exact less cheap: shared file pages, mostly, and they hardly change. */
  readonly offsetBytes: number
}

/**
 * Starts to look. The first reading comes after one interval; the timer never keeps the host alive.
 *
 * @example
 * const monitor = createMonitor({ intervalMs: 2_000, exactEveryMs: 20_000, pids, onReading: send })
 */
export function createMonitor<Slot extends string>(options: MonitorOptions<Slot>): Monitor {
  const calibrations = new Map<Slot, Calibration>()
  let lastTimes: ProcessorTimes | null = null
  let dueAt = performance.now() + options.intervalMs
  let reading = false
  let stopped = false

  async function tick(): Promise<void> {
    const lateMs = Math.max(0, performance.now() - dueAt)
    dueAt = performance.now() + options.intervalMs
    // A reading that takes longer than an interval is not joined by a second one.
    if (reading) return
    reading = true
    try {
      const result = await look(lateMs)
      if (!stopped) options.onReading(result)
    } catch (error) {
      if (!stopped) options.onProblem?.(error instanceof Error ? error : new Error(String(error)))
    } finally {
      reading = false
    }
  }

  async function look(lateMs: number): Promise<MonitorReading<Slot>> {
    const workers = await readWorkers()
    const times = readProcessorTimes()
    const processorRatio = lastTimes && busyRatio(lastTimes, times)
    lastTimes = times
    const disk = fullest(await Promise.all((options.folders ?? []).map(readDisk)))
    return { atMs: Date.now(), lateMs, memory: readMemory(), processorRatio, disk, workers }
  }

  async function readWorkers(): Promise<WorkerMemory<Slot>[]> {
    const linux = process.platform === 'linux'
    const parents: ReadonlyMap<number, number> = linux ? readParents() : new Map()
    // A process that has just gone has nothing to tell, and must not be waited for in the turn.
    const living = [...options.pids()].filter(([, pid]) => !linux || parents.has(pid))
    const pids = new Map(living)
    for (const [slot, { pid }] of calibrations) {
      if (pids.get(slot) !== pid) calibrations.delete(slot)
    }
    const due = stalest(pids)
    const workers: WorkerMemory<Slot>[] = []
    for (const [slot, pid] of pids) {
      const cheap = await readTreePss(pid, { parents })
      if (slot === due) {
        const exact = await readTreePss(pid, { parents, exact: true })
        calibrations.set(slot, { pid, atMs: performance.now(), offsetBytes: exact - cheap })
        workers.push({ slot, pid, memoryBytes: exact, exact: true })
      } else {
        const offsetBytes = calibrations.get(slot)?.offsetBytes ?? 0
        workers.push({ slot, pid, memoryBytes: Math.max(0, cheap + offsetBytes), exact: false })
      }
    }
    return workers
  }

  /**
   * The one slot whose exact reading is oldest, if it is too old: the cost is spread over the
   * ticks.
   */
  function stalest(pids: ReadonlyMap<Slot, number>): Slot | null {
    const now = performance.now()
    let [found, oldestMs]: [Slot | null, number] = [null, options.exactEveryMs]
    for (const slot of pids.keys()) {
      const calibration = calibrations.get(slot)
      const ageMs = calibration ? now - calibration.atMs : Number.POSITIVE_INFINITY
      if (ageMs >= oldestMs) [found, oldestMs] = [slot, ageMs]
    }
    return found
  }

  const timer = setInterval(tick, options.intervalMs)
  timer.unref()
  return {
    stop: () => {
      stopped = true
      clearInterval(timer)
    },
  }
}

function fullest(disks: readonly DiskReading[]): DiskReading | null {
  return disks.toSorted((a, b) => a.freeBytes - b.freeBytes)[0] ?? null
}
