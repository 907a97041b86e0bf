/**
 * The pool's own sealed copies of the base profiles, one for each: what workers' profiles are cloned
 * from. The user's base is read once; a copy that has gone bad is put in quarantine and taken anew.
 * It is not for use by two at a time.
 */
import { createHash } from 'node:crypto'
import { mkdir, readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { removeFolder } from '../process/own-folder.ts'
import { cloneProfile } from './clone.ts'
import { QUARANTINE } from './listing.ts'
import { checkContents, sealContents } from './seal.ts'

/** Bad copies that are kept to be looked at. */
const MAX_QUARANTINED = 3

interface BaseCopiesOptions {
  /** Of the run's profiles. */
  readonly folder: string
  readonly maxBytes: number
}

export class BaseCopies {
  readonly #options: BaseCopiesOptions
  /** The user's bases of which a whole copy was made. */
  readonly #made = new Set<string>()

  constructor(options: BaseCopiesOptions) {
    this.#options = options
  }

  /**
   * The copy of `base`, whole.
   *
   * @throws TroupeError PROFILE_FAILED when the base itself has a problem or is too large.
   */
  async ready(base: string): Promise<string> {
    const { folder, maxBytes } = this.#options
    const copy = join(folder, `base.${nameOf(base)}`)
    if (this.#made.has(base)) {
      // Without its seal it says nothing of what was in it.
      const { ok, sealed } = await checkContents(copy)
      if (ok && sealed) return copy
      this.#made.delete(base)
      await quarantine(copy, join(folder, QUARANTINE))
    }
    await removeFolder(copy)
    await cloneProfile({ base, target: copy, maxBytes })
    await sealContents(copy)
    this.#made.add(base)
    return copy
  }
}

/** A short name for a base, the same at every call. */
export function nameOf(base: string): string {
  return createHash('sha256').update(base).digest('hex').slice(0, 12)
}

/**
 * Moves a profile out of use, to be looked at. Only the newest three are kept.
 *
 * @returns Where it is now.
 */
async function quarantine(profile: string, into: string): Promise<string> {
  await mkdir(into, { recursive: true, mode: 0o700 })
  const names = (await readdir(into)).map(Number).sort((a, b) => a - b)
  const next = (names.at(-1) ?? 0) + 1
  const target = join(into, String(next))
  await rename(profile, target).catch((error: NodeJS.ErrnoException) => {
    // One that is gone cannot be looked at.
    if (error.code !== 'ENOENT') throw error
  })
  for (const name of names.slice(0, Math.max(0, names.length + 1 - MAX_QUARANTINED))) {
    await removeFolder(join(into, String(name)))
  }
  return target
}
