/**
 * The pool and the process it lives in: signals begin a graceful shutdown and a second one forces
 * it, the exit kills what is left, and the pool keeps the host alive only while it has something to
 * do.
 */
import { type PoolValue, stateName } from './pool-client.ts'
import type { PoolMachineActor, PoolRuntime } from './pool-runtime.ts'
import type { PoolStatus } from './pool-types.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** As long as a timer can be; it only stands for "the pool has something to do". */
const KEEP_ALIVE_MS = 2 ** 31 - 1

export class HostWatch {
  readonly #actor: PoolMachineActor
  readonly #runtime: PoolRuntime
  #state: PoolStatus['state'] = 'idle'
  #received: NodeJS.Signals | null = null
  #subscription: { unsubscribe(): void } | null = null
  #keepAlive: NodeJS.Timeout | null = null
  readonly #onSignal = (signal: NodeJS.Signals) => this.#interrupt(signal)
  readonly #onExit = () => this.#runtime.destroy()
  readonly #onBeforeExit = () => this.#actor.send({ type: 'pool.stop', force: false })

  constructor(actor: PoolMachineActor, runtime: PoolRuntime) {
    this.#actor = actor
    this.#runtime = runtime
  }

  /** Watches for as long as the pool is up; a pool at rest leaves no trace on the host. */
  attach(): void {
    this.#subscription ??= this.#actor.subscribe({
      next: ({ value }) => this.#follow(value),
      error: (error) => {
        this.#runtime.logger.error('the pool actor failed', { error })
        this.#runtime.destroy()
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
      this.#runtime.news.tell('pool.changed', () => ({ state }))
    }
    if (state === 'idle') this.#rest()
    else this.#wake(state)
  }

  #log(state: PoolStatus['state']): void {
    const { logger } = this.#runtime
    if (state !== 'error') return logger.debug('pool', { state })
    const { error } = this.#actor.getSnapshot().context
    logger.error('no worker can start; what waited has failed', { error })
  }

  #wake(state: PoolStatus['state']): void {
    this.#hold(state)
    if (process.listeners('exit').includes(this.#onExit)) return
    process.on('exit', this.#onExit)
    process.on('beforeExit', this.#onBeforeExit)
    if (!this.#runtime.config.signals) return
    for (const signal of SIGNALS) process.on(signal, this.#onSignal)
  }

  #rest(): void {
    process.off('exit', this.#onExit)
    process.off('beforeExit', this.#onBeforeExit)
    for (const signal of SIGNALS) process.off(signal, this.#onSignal)
    if (this.#keepAlive !== null) clearInterval(this.#keepAlive)
    this.#keepAlive = null
    const signal = this.#received
    this.#received = null
    // The exit status must be the signal's own, unless the host has a say of its own in it.
    if (signal !== null && process.listenerCount(signal) === 0) process.kill(process.pid, signal)
  }

  /**
   * A pool that starts or stops has something to do; one that runs has while a task has not ended.
   */
  #hold(state: PoolStatus['state']): void {
    this.#keepAlive ??= setInterval(() => {}, KEEP_ALIVE_MS)
    this.#runtime.business.onChange = (isBusy) => {
      if (isBusy) this.#keepAlive?.ref()
      else this.#keepAlive?.unref()
    }
    const isOnTheWay = state === 'starting' || state === 'stopping'
    this.#runtime.business.onChange(isOnTheWay || this.#runtime.business.isBusy)
  }

  #interrupt(signal: NodeJS.Signals): void {
    const force = this.#received !== null
    this.#received = signal
    this.#runtime.logger.warn(
      force ? `${signal} again: killing` : `${signal}: shutting down; once more to kill`,
    )
    this.#actor.send({ type: 'pool.stop', force })
  }
}
