/**
 * Keeps a run's place on the disk while it has processes: what of the run folder is gone is made anew
 * before anything is started there, and once in a while. A worker whose browser has lost its profile
 * is replaced after its task. It never waits for the disk longer than a few calls take.
 */
import type { SlotId } from '../../../machines/protocol.ts'
import type { ProcessId } from '../../../machines/worker-messages.ts'
import type { WorkerHandle } from '../../process/worker-handle.ts'
import type { WorkersPorts } from '../workers-ports.ts'
import type { Run } from './world.ts'

/**
 * ms between two looks. Below the minute after which another pool's start takes a run folder without
 * a socket for a dead pool's.
 */
export const LOOK_EVERY_MS = 15_000

interface CarePorts extends Pick<WorkersPorts, 'world' | 'logger' | 'run'> {
  living(): WorkerHandle[]
  retire(id: ProcessId): void
}

export class RunCare {
  readonly #ports: CarePorts
  readonly #reported = new WeakSet<WorkerHandle>()
  /** Takes back the next look; null while there is no process. */
  #cancel: (() => void) | null = null
  #problem = ''

  constructor(ports: CarePorts) {
    this.#ports = ports
  }

  /** The run, with its folders in place. @throws CONFIG_INVALID when they cannot be put there */
  ready(): Run {
    const run = this.#ports.run()
    const parts = run.folder.renew()
    const fields = { folder: run.folder.path, parts }
    if (parts.length > 0) this.#ports.logger.warn('the run folder is made anew', fields)
    return run
  }

  /** There is a process: looks now and then, until `end`. */
  begin(): void {
    this.#cancel ??= this.#ports.world.clock.after(LOOK_EVERY_MS, () => {
      this.#cancel = null
      this.begin()
      this.#look()
    })
  }

  end(): void {
    this.#cancel?.()
    this.#cancel = null
  }

  #look(): void {
    try {
      const { profiles } = this.ready()
      for (const process of this.#ports.living()) {
        const { profileFolder } = process
        if (profileFolder !== null && !profiles.isThere(profileFolder)) this.#replace(process)
      }
      this.#problem = ''
    } catch (error) {
      const { message } = error as Error
      if (message !== this.#problem) {
        this.#ports.logger.error('the run folder cannot be made anew', { error })
      }
      this.#problem = message
    }
  }

  /** Asked for again at each look: a worker that has just been replaced may not have heard it. */
  #replace(process: WorkerHandle): void {
    const id = { slot: process.init.slot as SlotId, incarnation: process.init.incarnation }
    if (!this.#reported.has(process)) {
      const fields = { worker: id.slot, incarnation: id.incarnation }
      this.#ports.logger.warn('its profile is gone: the worker is replaced', fields)
    }
    this.#reported.add(process)
    this.#ports.retire(id)
  }
}
