/**
 * The disk of a simulated machine, as far as a pool uses it: run folders, profiles, and the guardian
 * that removes them when the pool is gone. Nothing is written anywhere.
 */
import type { Run } from '../../pool/host/world.ts'
import type { LaunchSpec, SessionManifest } from '../../process/ipc/protocol.ts'
import type { FaultPlan } from './faults.ts'
import type { Scope } from './virtual-clock.ts'

const PREPARE_MS = 2

interface RunPorts {
  readonly kernel: Scope
  readonly faults: FaultPlan
}

export class VirtualRun implements Run {
  readonly folder: Run['folder']
  readonly compileCache: string
  readonly artifacts: string
  /** Folders of profiles that exist. */
  readonly profilesHeld = new Set<string>()
  /** Pids that the guardian would kill. */
  readonly watched = new Set<number>()
  isOnDisk = true
  isGuarded = true
  /** Its pool is done with it. */
  #isOver = false
  readonly #ports: RunPorts

  constructor(path: string, ports: RunPorts) {
    this.#ports = ports
    this.compileCache = `${path}/compiled`
    this.artifacts = `${path}/artifacts`
    this.folder = { path, renew: () => this.#renew(), removeSync: () => this.remove() }
  }

  readonly guardian: Run['guardian'] = {
    watch: (pid) => void this.watched.add(pid),
    release: (pid) => void this.watched.delete(pid),
    stop: () => {
      this.isGuarded = false
      return Promise.resolve()
    },
  }

  readonly profiles: Run['profiles'] = {
    release: (folder) => this.#soon(() => void this.profilesHeld.delete(folder)),
    clean: () => this.#soon(() => []),
    isThere: (folder) => this.profilesHeld.has(folder),
  }

  prepareLaunch(slot: string, incarnation: number, session: SessionManifest): Promise<LaunchSpec> {
    const profileFolder = this.profileFolder(slot, incarnation)
    return this.#soon(() => {
      if (this.#ports.faults.injects('diskFull')) throw new Error('ENOSPC: no space left on device')
      this.mayVanish()
      if (!this.isOnDisk) throw new Error(`ENOENT: no such file or directory, '${profileFolder}'`)
      this.profilesHeld.add(profileFolder)
      return {
        executablePath: '/simulated/chromium',
        args: [],
        headless: true,
        profileFolder,
        tmpFolder: `${this.folder.path}/tmp`,
        isolation: 'session',
        launchTimeoutMs: 20_000,
        session: session.name,
      }
    })
  }

  profileFolder(slot: string, incarnation: number): string {
    return `${this.folder.path}/profiles/${slot}.${incarnation}`
  }

  async close(): Promise<void> {
    await this.#soon(() => this.remove())
    await this.guardian.stop()
  }

  remove(): void {
    this.#isOver = true
    this.#vanish()
  }

  /** An occasion for whoever cleans temporary folders. */
  mayVanish(): void {
    if (this.isOnDisk && this.#ports.faults.injects('folderGone')) this.#vanish()
  }

  #vanish(): void {
    this.isOnDisk = false
    this.profilesHeld.clear()
  }

  #renew(): readonly string[] {
    if (this.isOnDisk || this.#isOver) return []
    this.isOnDisk = true
    return [this.folder.path]
  }

  #soon<T>(make: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#ports.kernel.after(PREPARE_MS, () => {
        try {
          resolve(make())
        } catch (error) {
          reject(error)
        }
      })
    })
  }
}
