/**
 * Opens a pool's run and closes it, one after the other however they are asked for: a pool that is
 * started again waits until its last run has left the machine.
 */
import type { PoolConfig } from '../../config/parse.ts'
import { TroupeError } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import type { Run, World } from './world.ts'

export class RunLifecycle {
  readonly #config: PoolConfig
  readonly #logger: Logger
  readonly #openRun: World['openRun']
  #run: Run | null = null
  #opening: Promise<Run> | null = null
  #closing: Promise<void> | null = null

  constructor(config: PoolConfig, logger: Logger, openRun: World['openRun']) {
    this.#config = config
    this.#logger = logger
    this.#openRun = openRun
  }

  /** The newest run, open or closed. @throws INVARIANT_VIOLATED before the first is open */
  get run(): Run {
    if (this.#run === null) throw new TroupeError('INVARIANT_VIOLATED', 'no run was ever open')
    return this.#run
  }

  /** False when the run was given up again while it was opening: it is nobody's any more. */
  async open(): Promise<boolean> {
    // Known at once: a close that comes in the same turn must find it, or nobody ever closes it.
    this.#opening ??= this.#openAfter(this.#closing)
    const opening = this.#opening
    try {
      const run = await opening
      if (this.#opening !== opening) return false
      this.#run = run
      return true
    } catch (error) {
      if (this.#opening !== opening) return false
      this.#opening = null
      throw error
    }
  }

  /**
   * Once `whenGone` says that the last process is gone, the run leaves the machine as it found it.
   * Never rejects.
   */
  close(whenGone: () => Promise<void>): Promise<void> {
    const opening = this.#opening
    const before = this.#closing
    this.#opening = null
    this.#closing = (async () => {
      await before
      try {
        const run = await opening
        await whenGone()
        await run?.close()
      } catch (error) {
        this.#logger.error('a run folder could not be removed; the next start sweeps it', { error })
      }
    })()
    return this.#closing
  }

  async #openAfter(closing: Promise<void> | null): Promise<Run> {
    await closing
    return this.#openRun(this.#config, this.#logger)
  }

  /** For the exit of the host: at once, or never. */
  removeSync(): void {
    this.#run?.folder.removeSync()
    void this.#run?.guardian.stop()
  }
}
