/**
 * The pool option `sequentialBelow`: a pool that begins in its own process grows into its workers as soon
 * as more tasks have not ended than one may well run one after the other. The first worker gets its
 * process as any worker is replaced: the new one first. A pool that has grown stays so.
 */
import { FIRST_SLOT } from '../host/in-process.ts'
import type { PoolRuntime } from '../runtime.ts'
import { type PoolMachineActor, isUp } from '../states.ts'
import { InProcessWorker } from '../../process/in-process-worker.ts'

export class PoolGrowth {
  readonly #actor: PoolMachineActor
  readonly #runtime: PoolRuntime

  constructor(actor: PoolMachineActor, runtime: PoolRuntime) {
    this.#actor = actor
    this.#runtime = runtime
    // What was too much before the first worker was ready is too much then.
    if (runtime.config.sequentialBelow > 0) runtime.events.on('worker.ready', () => this.look())
  }

  /** Called when there may be more tasks than before. */
  look(): void {
    const { config, ledger, workers, router } = this.#runtime
    if (config.sequentialBelow === 0 || ledger === null) return
    const { pending, active } = ledger.counts
    const { value, context } = this.#actor.getSnapshot()
    if (pending + active <= config.sequentialBelow || !isUp(value)) return
    if (context.size < config.workers) {
      this.#runtime.router.send('client', 'pool', { type: 'pool.scale', workers: config.workers })
      this.#runtime.router.send('client', 'ledger', { type: 'slots.changed' })
    }
    const first = workers.newest(FIRST_SLOT)
    if (!(first instanceof InProcessWorker)) return
    const { incarnation } = first.init
    router.send('client', FIRST_SLOT, { type: 'retire.requested', incarnation })
  }
}
