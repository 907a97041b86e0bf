/**
 * Looks over the profiles below a folder from outside: the runs of pools, alive or dead, or base
 * profiles a user keeps. Clears away what no pool uses any more. It never touches a base profile,
 * nor anything of a living pool that is held or was just made.
 */
import { readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { lockHolder } from '../process/file-lock.ts'
import { isMarked } from '../process/mark.ts'
import { removeFolder } from '../process/own-folder.ts'
import { probeOwner } from '../process/owner-socket.ts'
import { browsersOn } from '../process/process-group.ts'
import { sweepRunFolders } from '../process/run-folder.ts'
import { LOCK, userOf } from './health.ts'
import { listProfiles, type StoredProfile } from './listing.ts'
import { checkContents, MANIFEST } from './seal.ts'
import { sizeOf } from '../common/folder-size.ts'

/** Folders that one survey looks into. */
const MAX_SURVEYED = 1_000
const RUN = /^run-[0-9a-f]{12}$/
/** A profile is made before it is locked: one without a lock is a leftover once it is this old. */
const HALF_MADE_GRACE_MS = 60_000

interface SurveyedProfile {
  readonly folder: string
  /**
   * Of a run: as in the pool's own list. Of a base: `sealed` and whole, `unsealed`, `damaged`, or
   * `inUse` by a browser.
   */
  readonly state: StoredProfile['state'] | 'sealed' | 'unsealed' | 'damaged' | 'inUse'
  /** On the disk. */
  readonly bytes: number
  /** The run it belongs to, and whether its pool lives; null for a base. */
  readonly run: { readonly folder: string; readonly isAlive: boolean } | null
}

interface Cleared {
  readonly removed: readonly string[]
  /** What should have gone and is still there, and why. */
  readonly kept: readonly { readonly folder: string; readonly problem: string }[]
}

/** The profiles in `folder`: of runs, or bases; `folder` may be a base itself. */
export async function surveyProfiles(folder: string): Promise<SurveyedProfile[]> {
  const root = resolve(folder)
  if (await isProfile(root)) return [await surveyBase(root)]
  const found: SurveyedProfile[] = []
  for (const name of (await readdir(root)).sort().slice(0, MAX_SURVEYED)) {
    const path = join(root, name)
    if (RUN.test(name) && (await isMarked(path, 'run'))) found.push(...(await surveyRun(path)))
    else if (await isProfile(path)) found.push(await surveyBase(path))
  }
  return found
}

/**
 * Removes the runs of dead pools below `folder`, and what living ones could not delete.
 *
 * @param graceMs for which a profile without a lock is taken for one that is being made.
 */
export async function clearProfiles(
  folder: string,
  graceMs: number = HALF_MADE_GRACE_MS,
): Promise<Cleared> {
  const root = resolve(folder)
  const removed: string[] = []
  const kept: { folder: string; problem: string }[] = []
  for (const swept of await sweepRunFolders(root)) {
    if (swept.removed) removed.push(swept.folder)
    else kept.push({ folder: swept.folder, problem: swept.problem ?? 'it is still there' })
  }
  for (const profile of await surveyProfiles(root)) {
    if (profile.run === null || !(await isForgotten(profile, graceMs))) continue
    try {
      await removeFolder(profile.folder)
      removed.push(profile.folder)
    } catch (error) {
      kept.push({ folder: profile.folder, problem: (error as Error).message })
    }
  }
  return { removed, kept }
}

async function surveyRun(folder: string): Promise<SurveyedProfile[]> {
  const isAlive = (await probeOwner(folder)) === 'alive'
  const run = { folder, isAlive }
  const profiles = await listProfiles(join(folder, 'profiles'), async (path) =>
    isAlive ? (await lockHolder(join(path, LOCK))) !== null : false,
  )
  return profiles.map(({ folder: path, state, bytes }) => ({ folder: path, state, bytes, run }))
}

async function surveyBase(folder: string): Promise<SurveyedProfile> {
  const bytes = await sizeOf(folder)
  if ((await userOf(folder)) !== null) return { folder, state: 'inUse', bytes, run: null }
  const { ok, sealed } = await checkContents(folder)
  const state = ok ? (sealed ? 'sealed' : 'unsealed') : 'damaged'
  return { folder, state, bytes, run: null }
}

async function isForgotten({ folder, state }: SurveyedProfile, graceMs: number): Promise<boolean> {
  if (state === 'quarantined') return true
  if (state !== 'leftover') return false
  const users = browsersOn(folder)
  if (users.pids.length > 0 || !users.isWhole) return false
  const facts = await stat(folder).catch(() => null)
  return facts !== null && Date.now() - facts.ctimeMs >= graceMs
}

async function isProfile(folder: string): Promise<boolean> {
  for (const mark of [MANIFEST, 'Default', 'Local State']) {
    if ((await stat(join(folder, mark)).catch(() => null)) !== null) return true
  }
  return false
}
