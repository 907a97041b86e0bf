/**
 * The pool and the process it lives in: signals begin a graceful shutdown and a second one forces
 * it, the exit kills what is left, and the pool keeps the host alive only while it has something to
 * do.
 */
import type { HostListener, HostLease } from './host-process.ts'
import type { PoolRuntime } from '../runtime.ts'
import { type PoolMachineActor, type PoolValue, stateName } from '../states.ts'
import type { PoolStatus } from '../../api/status.ts'

export class HostWatch implements HostListener {
  readonly #actor: PoolMachineActor
  readonly #runtime: PoolRuntime
  #state: PoolStatus['state'] = 'idle'
  #size: number
  #received: NodeJS.Signals | null = null
  #subscription: { unsubscribe(): void } | null = null
  #lease: HostLease | null = null

  constructor(actor: PoolMachineActor, runtime: PoolRuntime) {
    this.#actor = actor
    this.#runtime = runtime
    this.#size = runtime.config.workers
  }

  /** Watches for as long as the pool is up; a pool at rest leaves no trace on the host. */
  attach(): void {
    this.#subscription ??= this.#actor.subscribe({
      next: ({ value, context }) => {
        this.#follow(value)
        this.#measure(context.size)
      },
      error: (error) => {
        this.#runtime.logger.error('the pool actor failed', { error })
        // Its run is ended beside it (`runtime.ts`).
        this.#rest()
      },
    })
  }

  detach(): void {
    this.#subscription?.unsubscribe()
    this.#subscription = null
    this.#rest()
  }

  #follow(value: PoolValue): void {
    const state = stateName(value)
    if (state !== this.#state) {
      this.#state = state
      this.#log(state)
      this.#runtime.events.emit('pool.changed', () => ({ state }))
    }
    if (state === 'idle') this.#rest()
    else this.#hold(state)
  }

  /** Told whoever changed it: a caller or the load. */
  #measure(workers: number): void {
    if (workers === this.#size) return
    const by = workers > this.#size ? 'up' : 'down'
    this.#size = workers
    this.#runtime.events.emit('pool.scaled', () => ({ workers, by }))
  }

  #log(state: PoolStatus['state']): void {
    const { logger } = this.#runtime
    if (state !== 'error') return logger.debug('pool', { state })
    const { error } = this.#actor.getSnapshot().context
    logger.error('nothing can run; what waited has failed', { error })
  }

  onSignal(signal: NodeJS.Signals): void {
    const force = this.#received !== null
    this.#received = signal
    this.#runtime.logger.warn(
      force ? `${signal} again: killing` : `${signal}: shutting down; once more to kill`,
    )
    this.#actor.send({ type: 'pool.stop', force })
  }

  onExit(): void {
    this.#runtime.destroy()
  }

  onUncaught(error: Error): void {
    this.#runtime.logger.error('the host threw and nobody caught it', { error })
  }

  onBeforeExit(): void {
    this.#actor.send({ type: 'pool.stop', force: false })
  }

  #rest(): void {
    const lease = this.#lease
    const signal = this.#received
    this.#lease = null
    this.#received = null
    lease?.release(signal)
  }

  /**
   * A pool that starts or stops has something to do; one that runs has while a task has not ended.
   */
  #hold(state: PoolStatus['state']): void {
    const { pendingWork, config, world } = this.#runtime
    this.#lease ??= world.host.listen(this, config.signals)
    const isOnTheWay = state === 'starting' || state === 'stopping'
    pendingWork.onChange = this.#lasting(isOnTheWay)
    pendingWork.onChange(pendingWork.isBusy)
  }

  #lasting(isOnTheWay: boolean): (isBusy: boolean) => void {
    return (isBusy) => this.#lease?.keepAlive(isOnTheWay || isBusy)
  }
}
