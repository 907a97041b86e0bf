/**
 * Clones made ahead: while a worker works, the next clone of its base is prepared, so that the next
 * start only renames it. One for each base, a few in all. A spare that could not be made is no
 * loss: the start then clones by itself.
 */
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { removeFolder } from '../worker/own-folder.ts'
import { nameOf } from './base-copies.ts'
import { copyProfile } from './clone.ts'

/** Spares at a time, of as many bases: the oldest goes for a new one. */
export const MAX_SPARES = 4

export class Spares {
  readonly #folder: string
  readonly #ready = new Map<string, string>()
  #made = 0

  /** `folder`: of the run's profiles. */
  constructor(folder: string) {
    this.#folder = folder
  }

  has(base: string): boolean {
    return this.#ready.has(base)
  }

  /** Clones `copy`, which was just checked. */
  async make(base: string, copy: string, maxBytes: number): Promise<void> {
    this.#made += 1
    const target = join(this.#folder, `spare.${nameOf(base)}.${this.#made}`)
    await copyProfile({ base: copy, target, maxBytes })
    this.#ready.set(base, target)
    for (const [oldest, path] of this.#ready) {
      if (this.#ready.size <= MAX_SPARES) return
      this.#ready.delete(oldest)
      await removeFolder(path)
    }
  }

  /** Makes `target` of the spare. False when there is none, or it is gone. */
  async take(base: string, target: string): Promise<boolean> {
    const spare = this.#ready.get(base)
    if (spare === undefined) return false
    this.#ready.delete(base)
    try {
      await rename(spare, target)
      return true
    } catch {
      await removeFolder(spare)
      return false
    }
  }

  async clear(): Promise<string[]> {
    const paths = [...this.#ready.values()]
    this.#ready.clear()
    await Promise.all(paths.map(removeFolder))
    return paths
  }
}
