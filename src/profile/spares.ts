/**
 * Clones made ahead: while a worker works, the next clone of its base is prepared, so that the next
 * start only renames it. One for each base, a few in all. A spare that could not be made is no
 * loss: the start then clones by itself.
 */
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { removeFolder } from '../process/own-folder.ts'
import { nameOf } from './base-copies.ts'
import { listKept } from './allow-list.ts'
import { type Clone, copyProfile } from './clone.ts'

/** Spares at a time, of as many bases: the oldest goes for a new one. */
export const MAX_SPARES = 4

export class Spares {
  readonly #folder: string
  readonly #ready = new Map<string, Clone>()
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
    this.#ready.set(base, await copyProfile({ base: copy, target, maxBytes }))
    for (const [oldest, { folder }] of this.#ready) {
      if (this.#ready.size <= MAX_SPARES) return
      this.#ready.delete(oldest)
      await removeFolder(folder)
    }
  }

  /** Makes `target` of the spare. False when there is none, or something of it is gone. */
  async take(base: string, target: string): Promise<boolean> {
    const spare = this.#ready.get(base)
    if (spare === undefined) return false
    this.#ready.delete(base)
    try {
      if (await isWhole(spare)) {
        await rename(spare.folder, target)
        return true
      }
    } catch {
      // As if there were none.
    }
    await removeFolder(spare.folder)
    return false
  }

  async clear(): Promise<string[]> {
    const paths = [...this.#ready.values()].map(({ folder }) => folder)
    this.#ready.clear()
    await Promise.all(paths.map(removeFolder))
    return paths
  }
}

/** Whoever cleans by age takes single files. */
async function isWhole({ folder, files, bytes }: Clone): Promise<boolean> {
  const kept = await listKept(folder)
  return kept.length === files && kept.reduce((sum, file) => sum + file.bytes, 0) === bytes
}
