/**
 * How large each worker's process tree is: cheaply every time, and exactly one at a time and in turn.
 * One that cannot be measured is left out.
 */
import { readParents } from '../process/process-group.ts'
import { LimitedCall, NoAnswer, type ReaderResults } from './readers.ts'
import type { readTreePss } from './tree.ts'

export interface WorkerMemory<Slot extends string = string> {
  readonly slot: Slot
  readonly pid: number
  /** PSS of the process tree in bytes; between exact readings an estimate. */
  readonly memoryBytes: number
  readonly exact: boolean
}

/** What an exact reading taught about a process tree. */
interface Calibration {
  readonly pid: number
  readonly atMs: number
  /** Exact less cheap: shared file pages, mostly, and they hardly change. */
  readonly offsetBytes: number
}

export class WorkerSizes<Slot extends string> {
  readonly #exactEveryMs: number
  readonly #tree: typeof readTreePss
  readonly #exactCall: LimitedCall<number>
  readonly #calibrations = new Map<Slot, Calibration>()

  /** `exactEveryMs`: after that an exact reading is too old. */
  constructor(exactEveryMs: number, limitMs: number, tree: typeof readTreePss) {
    this.#exactEveryMs = exactEveryMs
    this.#tree = tree
    this.#exactCall = new LimitedCall('/proc/<pid>/smaps_rollup', limitMs)
  }

  async read(
    all: ReadonlyMap<Slot, number>,
    results: ReaderResults,
  ): Promise<WorkerMemory<Slot>[]> {
    const linux = process.platform === 'linux'
    const parents = await results.take<ReadonlyMap<number, number> | null>('workers', null, () =>
      linux ? readParents() : new Map(),
    )
    if (parents === null) return []
    // A process that has just gone has nothing to tell, and must not be waited for in the turn.
    const pids = new Map([...all].filter(([, pid]) => !linux || parents.has(pid)))
    for (const [slot, { pid }] of this.#calibrations) {
      if (pids.get(slot) !== pid) this.#calibrations.delete(slot)
    }
    const due = this.#stalest(pids)
    const workers: WorkerMemory<Slot>[] = []
    for (const [slot, pid] of pids) {
      const read = () => this.#readOne(slot, pid, parents, slot === due, results)
      const worker = await results.take('workers', null, read)
      if (worker !== null) workers.push(worker)
    }
    return workers
  }

  async #readOne(
    slot: Slot,
    pid: number,
    parents: ReadonlyMap<number, number>,
    isDue: boolean,
    results: ReaderResults,
  ): Promise<WorkerMemory<Slot>> {
    const cheap = await this.#tree(pid, { parents })
    const exact = isDue ? await this.#readExactly(pid, parents, results) : null
    if (exact !== null) {
      this.#calibrations.set(slot, { pid, atMs: performance.now(), offsetBytes: exact - cheap })
      return { slot, pid, memoryBytes: exact, exact: true }
    }
    const offsetBytes = this.#calibrations.get(slot)?.offsetBytes ?? 0
    return { slot, pid, memoryBytes: Math.max(0, cheap + offsetBytes), exact: false }
  }

  /** Null when it cannot be had; where there is only no answer yet, the estimate does as well. */
  async #readExactly(
    pid: number,
    parents: ReadonlyMap<number, number>,
    results: ReaderResults,
  ): Promise<number | null> {
    try {
      return await this.#exactCall.run(() => this.#tree(pid, { parents, exact: true }))
    } catch (error) {
      if (!(error instanceof NoAnswer)) results.note('workers', error)
      return null
    }
  }

  /**
   * The one slot whose exact reading is oldest, if it is too old: the cost is spread over the
   * ticks.
   */
  #stalest(pids: ReadonlyMap<Slot, number>): Slot | null {
    const now = performance.now()
    let [found, oldestMs]: [Slot | null, number] = [null, this.#exactEveryMs]
    for (const slot of pids.keys()) {
      const calibration = this.#calibrations.get(slot)
      const ageMs = calibration ? now - calibration.atMs : Number.POSITIVE_INFINITY
      if (ageMs >= oldestMs) [found, oldestMs] = [slot, ageMs]
    }
    return found
  }
}
