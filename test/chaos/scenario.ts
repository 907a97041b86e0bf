/**
 * What a fault is given to work with: the pool under load, a worker to strike that no other fault
 * strikes now, and the events to wait for. It never waits for time to pass.
 */
import type { PoolEvents } from '../../src/index.ts'
import type { SlotId } from '../../machines/protocol.ts'
import type { ChaosSite } from './chaos-site.ts'
import type { ChaosPool, ClientOracle } from './client-oracle.ts'
import { type Graves, type OsProcess, treeOf } from './graves.ts'
import type { Random } from './random.ts'
import type { SmallDisk } from './small-disk.ts'

/** When a fault strikes its worker: as a task begins there, as one ends, or as it is. */
const MOMENTS = ['task.started', 'task.succeeded', null] as const

export interface Victim {
  readonly slot: SlotId
  readonly incarnation: number
  readonly pid: number
  readonly browserPid: number
  /** The worker's process and all below it, as the strike begins. */
  readonly tree: readonly OsProcess[]
}

interface Measures {
  /** From the SIGKILL of a worker to its slot's `worker.ready`. */
  readonly workerMs: number[]
  /** From the SIGKILL of a browser to its worker's `worker.ready`. */
  readonly browserMs: number[]
  hungPages: number
  /** Of those, the ones that cost no worker. */
  hungPagesKept: number
}

interface ScenarioParts {
  readonly pool: ChaosPool
  readonly oracle: ClientOracle
  readonly graves: Graves
  readonly site: ChaosSite
  readonly disk: SmallDisk
  /** Where the pool has its run folder. */
  readonly root: string
  /** For pools of other processes. */
  readonly hostRoots: string
}

export class Scenario implements ScenarioParts {
  readonly pool: ChaosPool
  readonly oracle: ClientOracle
  readonly graves: Graves
  readonly site: ChaosSite
  readonly disk: SmallDisk
  readonly root: string
  readonly hostRoots: string
  readonly measures: Measures = { workerMs: [], browserMs: [], hungPages: 0, hungPagesKept: 0 }
  readonly #claimed = new Set<SlotId>()

  constructor(parts: ScenarioParts) {
    this.pool = parts.pool
    this.oracle = parts.oracle
    this.graves = parts.graves
    this.site = parts.site
    this.disk = parts.disk
    this.root = parts.root
    this.hostRoots = parts.hostRoots
  }

  /**
   * Picks a worker that serves, waits for its moment, and keeps other faults off it until `inject`
   * is over.
   */
  async onVictim(random: Random, inject: (victim: Victim) => Promise<void>): Promise<void> {
    const slot = await this.#claim(random)
    try {
      const moment = random.pick(MOMENTS)
      if (moment !== null) {
        await this.next(moment, (event: { worker: SlotId | null }) => event.worker === slot)
      }
      await inject(await this.#standing(slot))
    } finally {
      this.#claimed.delete(slot)
    }
  }

  /** The next such event. Ask before the action that brings it about. */
  next<T extends keyof PoolEvents>(
    type: T,
    isIt: (event: PoolEvents[T]) => boolean = () => true,
  ): Promise<PoolEvents[T]> {
    return new Promise((resolve) => {
      const { unsubscribe } = this.pool.on(type, (event) => {
        if (!isIt(event)) return
        unsubscribe()
        resolve(event)
      })
    })
  }

  nextReady(slot: SlotId, from = 0): Promise<PoolEvents['worker.ready']> {
    return this.next('worker.ready', (event) => event.slot === slot && event.incarnation >= from)
  }

  nextExit(slot: SlotId, incarnation: number): Promise<PoolEvents['worker.exited']> {
    return this.next(
      'worker.exited',
      (event) => event.slot === slot && event.incarnation === incarnation,
    )
  }

  /** Resolves once the slot has done a browser task that began after this call. */
  serves(slot: SlotId): Promise<void> {
    const begun = new Set<string>()
    const { unsubscribe } = this.pool.on('task.started', ({ taskId, worker }) => {
      if (worker === slot) begun.add(taskId)
    })
    const isProof = (outcome: PoolEvents['task.succeeded']) =>
      outcome.worker === slot && outcome.name === 'visit' && begun.has(outcome.taskId)
    return this.next('task.succeeded', isProof).then(unsubscribe)
  }

  /** The slot has no other process by now. */
  isThere({ slot, incarnation }: Victim): boolean {
    const worker = this.pool.status().workers.find((status) => status.slot === slot)
    return worker?.incarnation === incarnation
  }

  /** Where everything stands, for what does not end. */
  report(): string {
    const { state, workers } = this.pool.status()
    const each = workers.map(({ slot, incarnation, state: at, running, browserPid }) => {
      return `${slot}#${incarnation} ${at}, runs ${running.join()}, browser ${browserPid}`
    })
    return [state, ...each].join('; ')
  }

  isReady(slot: SlotId): boolean {
    const worker = this.pool.status().workers.find((status) => status.slot === slot)
    return worker !== undefined && worker.state.startsWith('ready') && worker.browserPid !== null
  }

  async #claim(random: Random): Promise<SlotId> {
    for (;;) {
      const free = this.pool
        .status()
        .workers.map(({ slot }) => slot)
        .filter((slot) => !this.#claimed.has(slot) && this.isReady(slot))
      if (free.length > 0) {
        const slot = random.pick(free)
        this.#claimed.add(slot)
        return slot
      }
      await this.next('worker.ready')
    }
  }

  async #standing(slot: SlotId): Promise<Victim> {
    for (;;) {
      const worker = this.pool.status().workers.find((status) => status.slot === slot)
      if (worker && worker.pid !== null && worker.browserPid !== null && this.isReady(slot)) {
        const { pid, browserPid, incarnation } = worker
        return { slot, pid, browserPid, incarnation, tree: treeOf(pid) }
      }
      await this.nextReady(slot)
    }
  }
}
