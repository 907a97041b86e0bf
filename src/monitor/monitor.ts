/**
 * Looks at the machine and at every worker, once an interval: cheaply each time, exactly one worker
 * at a time and in turn. It tells what it saw and decides nothing. Each part is read by itself: one
 * that fails or does not answer is unknown, and the others are told all the same.
 */
import { type DiskReading, readDisk } from './disk.ts'
import { type MemoryReading, readMemory } from './memory.ts'
import { busyRatio, type ProcessorTimes, readProcessorTimes } from './processor.ts'
import { type FailedReaders, LimitedCall, ReaderResults } from './readers.ts'
import { readTreePss } from './tree.ts'
import { type WorkerMemory, WorkerSizes } from './worker-sizes.ts'

export interface MonitorOptions<Slot extends string = string> {
  /** ms between readings. */
  readonly intervalMs: number
  /** ms after which a worker's exact reading is too old. */
  readonly exactEveryMs: number
  /** The process of each slot that has one. Asked at each reading. */
  readonly pids: () => ReadonlyMap<Slot, number>
  readonly onReading: (reading: MonitorReading<Slot>) => void
  /** Told of a reading that could not be told. The next one comes as usual. */
  readonly onProblem?: (error: Error) => void
  /** Folders whose disks are watched. */
  readonly folders?: readonly string[]
  /** Reads the machine. Default: as it is; a test gives readers that fail. */
  readonly readers?: Partial<MachineReaders>
}

/** How each part of a reading is read. */
export interface MachineReaders {
  memory(): MemoryReading
  processor(): ProcessorTimes
  disk(folder: string): Promise<DiskReading>
  tree: typeof readTreePss
}
const MACHINE: MachineReaders = {
  memory: readMemory,
  processor: readProcessorTimes,
  disk: readDisk,
  tree: readTreePss,
}
/** ms after which a call that does not answer is given up in this reading. */
const ANSWER_LIMIT_MS = 3_000

export interface MonitorReading<Slot extends string = string> {
  /** ms of the system's clock. */
  readonly atMs: number
  /** ms this reading came too late, because the pool's own process was held up. */
  readonly lateMs: number
  /** Null while it cannot be read. */
  readonly memory: MemoryReading | null
  /** Share of all processors used since the last reading, 0–1; null at first, and while it is unknown. */
  readonly processorRatio: number | null
  /** The disk with the least room, of those that hold the folders. Null when there are none. */
  readonly disk: DiskReading | null
  /** Those that could be measured. */
  readonly workers: readonly WorkerMemory<Slot>[]
  /** What could not be read, or not all of it, and why. */
  readonly failed: FailedReaders
}

export interface Monitor {
  /** No reading is told after this. */
  stop(): void
}

/**
 * Starts to look. The first reading comes after one interval; the timer never keeps the host alive.
 *
 * @example
 * const monitor = createMonitor({ intervalMs: 2_000, exactEveryMs: 20_000, pids, onReading: send })
 */
export function createMonitor<Slot extends string>(options: MonitorOptions<Slot>): Monitor {
  const readers: MachineReaders = { ...MACHINE, ...options.readers }
  const sizes = new WorkerSizes<Slot>(options.exactEveryMs, ANSWER_LIMIT_MS, readers.tree)
  const diskCalls = new Map(
    (options.folders ?? []).map((folder) => [
      folder,
      new LimitedCall<DiskReading>(folder, ANSWER_LIMIT_MS),
    ]),
  )
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
    const results = new ReaderResults()
    const [workers, disk] = await Promise.all([
      sizes.read(options.pids(), results),
      readDisks(results),
    ])
    const processorRatio = await results.take('processor', null, readProcessorRatio)
    const memory = await results.take('memory', null, readers.memory)
    const { failed } = results
    return { atMs: Date.now(), lateMs, memory, processorRatio, disk, workers, failed }
  }

  function readProcessorRatio(): number | null {
    const times = readers.processor()
    const ratio = lastTimes && busyRatio(lastTimes, times)
    lastTimes = times
    return ratio
  }

  /** Of several disks, one that cannot be read hides none of the others. */
  async function readDisks(results: ReaderResults): Promise<DiskReading | null> {
    const disks = [...diskCalls].map(([folder, call]) =>
      results.take('disk', null, () => call.run(() => readers.disk(folder))),
    )
    return fullest((await Promise.all(disks)).filter((disk) => disk !== null))
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
