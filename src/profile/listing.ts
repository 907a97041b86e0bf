/**
 * What lies in a run's folder of profiles, by the names of things. It only reads.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { sizeOf } from '../common/folder-size.ts'

export const QUARANTINE = 'quarantine'
const OF_WORKER = /^(worker-\d+)\.(\d+)$/
const BASE = /^base\.[0-9a-f]{12}$/
const SPARE = /^spare\.[0-9a-f]{12}\.\d+$/

export interface StoredProfile {
  readonly folder: string
  /** Null for what belongs to no worker. */
  readonly slot: string | null
  readonly incarnation: number | null
  /**
   * `leftover`: released, but its deletion failed. `base`: what clones are made from. `spare`: a
   * clone made ahead.
   */
  readonly state: 'held' | 'leftover' | 'base' | 'spare' | 'quarantined'
  /** On the disk. */
  readonly bytes: number
}

export function isWorkerProfile(name: string): boolean {
  return OF_WORKER.test(name)
}

/** `isHeld` tells whether a worker's profile is in use. */
export async function listProfiles(
  folder: string,
  isHeld: (path: string) => boolean | Promise<boolean>,
): Promise<StoredProfile[]> {
  const profiles: StoredProfile[] = []
  for (const name of await namesIn(folder)) {
    const path = join(folder, name)
    const match = OF_WORKER.exec(name)
    if (match) {
      const state = (await isHeld(path)) ? 'held' : 'leftover'
      const slot = match[1] as string
      const bytes = await sizeOf(path)
      profiles.push({ folder: path, slot, incarnation: Number(match[2]), state, bytes })
    } else if (BASE.test(name)) profiles.push(await unowned(path, 'base'))
    else if (SPARE.test(name)) profiles.push(await unowned(path, 'spare'))
  }
  for (const name of await namesIn(join(folder, QUARANTINE))) {
    profiles.push(await unowned(join(folder, QUARANTINE, name), 'quarantined'))
  }
  return profiles
}

async function unowned(folder: string, state: StoredProfile['state']): Promise<StoredProfile> {
  return { folder, slot: null, incarnation: null, state, bytes: await sizeOf(folder) }
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
}
