/**
 * What one run of a pool holds on the machine: the run folder, the guardian, the profiles and the
 * browser to launch. Opened when the pool starts, closed when its shutdown sweeps.
 */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { PoolConfig } from '../../config/parse.ts'
import type { Logger } from '../../common/logger.ts'
import { openProfileStore, type ProfileStore } from '../../profile/store.ts'
import { type FoundBrowser, findBrowser } from '../../browser/finder.ts'
import { isUnpacked, PACKAGE } from '../../browser/package.ts'
import { type Guardian, startGuardian } from '../../process/guardian.ts'
import { openCompileCache } from '../../process/compile-cache.ts'
import type { LaunchSpec, SessionManifest } from '../../process/ipc/protocol.ts'
import { openRunFolder, type RunFolder, sweepRunFolders } from '../../process/run-folder.ts'

export class PoolRun {
  readonly folder: RunFolder
  readonly guardian: Guardian
  readonly profiles: ProfileStore
  readonly compileCache: string
  readonly #config: PoolConfig
  #browser: Promise<FoundBrowser> | null = null

  private constructor(
    config: PoolConfig,
    folder: RunFolder,
    guardian: Guardian,
    compileCache: string,
  ) {
    this.#config = config
    this.compileCache = compileCache
    this.folder = folder
    this.guardian = guardian
    this.profiles = openProfileStore({
      folder: folder.profiles,
      maxBytes: config.browser.maxProfileBytes,
      diskFloorBytes: config.diskFloor,
      ...(config.browser.baseProfile === null ? {} : { base: config.browser.baseProfile }),
    })
  }

  /** Sweeps what dead pools left, then makes this run's own folder. */
  static async open(config: PoolConfig, logger: Logger): Promise<PoolRun> {
    const root = config.runFolder ?? undefined
    for (const swept of await sweepRunFolders(root)) {
      logger.warn('swept what a dead pool had left', { ...swept })
    }
    const folder = await openRunFolder(root === undefined ? {} : { root })
    const guardian = startGuardian(folder.path, {
      onLost: (error) => logger.warn('the guardian ended; another starts', { error }),
    })
    const compileCache = (await openCompileCache()) ?? join(folder.path, 'compiled')
    return new PoolRun(config, folder, guardian, compileCache)
  }

  get artifacts(): string {
    return this.#config.artifacts ?? this.folder.artifacts
  }

  /** A profile for one incarnation, and how to launch a browser on it. */
  async prepareLaunch(
    slot: string,
    incarnation: number,
    session: SessionManifest,
  ): Promise<LaunchSpec> {
    const { browser } = this.#config
    const found = await this.#found()
    const base = session.baseProfile ?? undefined
    const profile = await this.profiles.acquire(slot, incarnation, base)
    return {
      executablePath: found.executablePath,
      args: [...found.args, ...browser.args],
      headless: browser.headless,
      profileFolder: profile.folder,
      tmpFolder: this.folder.tmp,
      isolation: browser.isolation,
      launchTimeoutMs: browser.launchTimeout,
      session: session.name,
      maxProfileBytes: browser.maxProfileBytes,
      ...(browser.driver === null ? {} : { driver: browser.driver }),
    }
  }

  profileFolder(slot: string, incarnation: number): string {
    return join(this.folder.profiles, `${slot}.${incarnation}`)
  }

  async close(): Promise<void> {
    await this.profiles.close()
    await this.folder.close()
    await this.guardian.stop()
  }

  /** Looked for again when it is not there any more: a cache was cleared. */
  async #found(): Promise<FoundBrowser> {
    const before = await this.#browser?.catch(() => null)
    if (before && !isThere(before)) this.#browser = null
    this.#browser ??= this.#find()
    const found = await this.#browser
    if (found.source === PACKAGE) this.folder.keepFresh(dirname(found.executablePath))
    return found
  }

  #find(): Promise<FoundBrowser> {
    const { executablePath, driver } = this.#config.browser
    // A driver of the user's own brings its own browser.
    if (driver !== null) {
      return Promise.resolve({
        executablePath: executablePath ?? '',
        args: [],
        source: 'config',
      } as unknown as FoundBrowser)
    }
    const found = findBrowser(executablePath === null ? {} : { executablePath })
    // A browser that was not found may be there at the next start.
    found.catch(() => {
      this.#browser = null
    })
    return found
  }
}

function isThere({ executablePath, source }: FoundBrowser): boolean {
  if (source === PACKAGE) return isUnpacked(executablePath)
  // A driver of the user's own may name none.
  return executablePath === '' || existsSync(executablePath)
}
