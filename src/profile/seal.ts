/**
 * The seal of a profile: the SHA-256 of every kept file, in a manifest beside them. Chromium resets
 * damaged settings, cookies and storage without a word; only hashes tell. It never seals a profile
 * that is in use or already damaged.
 */
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { TroupeError } from '../common/errors.ts'
import { tryLock } from '../process/file-lock.ts'
import { listKept } from './allow-list.ts'
import { findDamage, LOCK, type ProfileProblem, userOf } from './health.ts'

export const MANIFEST = 'troupe-seal.json'
const MANIFEST_VERSION = 1
const MAX_MANIFEST_BYTES = 8 * 1024 * 1024

interface SealedFile {
  readonly path: string
  readonly bytes: number
  /** Lower-case hex. */
  readonly sha256: string
}

interface Seal {
  readonly files: readonly SealedFile[]
  readonly bytes: number
}

interface ProfileCheck {
  readonly folder: string
  readonly sealed: boolean
  /** True when there is no problem. */
  readonly ok: boolean
  readonly problems: readonly ProfileProblem[]
  /** Kept files and their size. */
  readonly files: number
  readonly bytes: number
}

/**
 * Seals a profile: from now on a changed, lost or added file is found. Seal again after every
 * intended change.
 *
 * @throws TroupeError PROFILE_FAILED when it is in use, damaged, or no profile at all.
 * @example
 * await sealProfile('/home/me/portal-login')
 */
export async function sealProfile(folder: string): Promise<Seal> {
  const absent = (await findDamage(folder)).find(({ kind }) => kind === 'absent')
  if (absent) throw failed(folder, [absent])
  const lock = await tryLock(join(folder, LOCK))
  try {
    const user = await userOf(folder)
    if (user) throw failed(folder, [user])
    if (!lock) throw failed(folder, [{ kind: 'inUse', path: LOCK, detail: 'it is locked' }])
    return await sealContents(folder)
  } finally {
    await lock?.release()
  }
}

/** As `sealProfile`, of a folder that nobody else can be using. */
export async function sealContents(folder: string): Promise<Seal> {
  const damage = await findDamage(folder)
  if (damage.length > 0) throw failed(folder, damage)
  const seal = await readContents(folder)
  await writeManifest(folder, seal)
  return seal
}

/**
 * Looks a profile over, sealed or not. A profile that is not sealed is looked at for what can be
 * seen without hashes.
 *
 * @throws TroupeError PROFILE_FAILED when it cannot be read.
 */
export async function checkProfile(folder: string): Promise<ProfileCheck> {
  const user = await userOf(folder)
  const check = await checkContents(folder)
  if (!user) return check
  return { ...check, ok: false, problems: [user, ...check.problems] }
}

/** As `checkProfile`, of a folder that nobody else can be using. */
export async function checkContents(folder: string): Promise<ProfileCheck> {
  const problems = [...(await findDamage(folder))]
  const manifest = await readManifest(folder, problems)
  if (!manifest) {
    const kept = await listKept(folder)
    const bytes = kept.reduce((sum, file) => sum + file.bytes, 0)
    return checked(folder, false, problems, { files: kept.length, bytes })
  }
  const now = await readContents(folder)
  problems.push(...differences(manifest, now.files))
  return checked(folder, true, problems, { files: now.files.length, bytes: now.bytes })
}

/** The error for a profile with problems. Names the first ten. */
export function failed(folder: string, problems: readonly ProfileProblem[]): TroupeError {
  const listed = problems.slice(0, 10).map(({ kind, path, detail }) => `${path} ${kind}: ${detail}`)
  const more = problems.length > 10 ? `; and ${problems.length - 10} more` : ''
  const message = `the profile ${folder} cannot be used: ${listed.join('; ')}${more}`
  return new TroupeError('PROFILE_FAILED', message)
}

function checked(
  folder: string,
  sealed: boolean,
  problems: readonly ProfileProblem[],
  size: { files: number; bytes: number },
): ProfileCheck {
  return { folder, sealed, ok: problems.length === 0, problems, ...size }
}

function differences(
  manifest: readonly SealedFile[],
  files: readonly SealedFile[],
): ProfileProblem[] {
  const sealed = new Map(manifest.map((file) => [file.path, file]))
  const problems: ProfileProblem[] = []
  for (const file of files) {
    const before = sealed.get(file.path)
    sealed.delete(file.path)
    if (!before) {
      problems.push({ kind: 'added', path: file.path, detail: 'it was not there when sealed' })
    } else if (before.sha256 !== file.sha256) {
      const detail = `${before.bytes} bytes when sealed, now ${file.bytes} bytes of other content`
      problems.push({ kind: 'changed', path: file.path, detail })
    }
  }
  for (const path of sealed.keys()) {
    problems.push({ kind: 'missing', path, detail: 'it was there when sealed' })
  }
  return problems
}

async function readContents(folder: string): Promise<Seal> {
  const files: SealedFile[] = []
  for (const { path, bytes } of await listKept(folder)) {
    files.push({ path, bytes, sha256: await hashOf(join(folder, path)) })
  }
  return { files, bytes: files.reduce((sum, file) => sum + file.bytes, 0) }
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

/** Whole or not at all, and on the disk when this returns. */
async function writeManifest(folder: string, seal: Seal): Promise<void> {
  const draft = join(folder, `${MANIFEST}.${randomBytes(4).toString('hex')}`)
  try {
    const file = await open(draft, 'wx', 0o600)
    try {
      await file.writeFile(`${JSON.stringify({ version: MANIFEST_VERSION, files: seal.files })}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, join(folder, MANIFEST))
  } finally {
    await rm(draft, { force: true })
  }
}

/** Null when there is no seal. A seal that cannot be read is a problem, and seals nothing. */
async function readManifest(
  folder: string,
  problems: ProfileProblem[],
): Promise<readonly SealedFile[] | null> {
  let text: string
  try {
    text = await readFile(join(folder, MANIFEST), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  const files = text.length > MAX_MANIFEST_BYTES ? null : parseManifest(text)
  if (files) return files
  problems.push({ kind: 'damaged', path: MANIFEST, detail: 'it is no seal of ours' })
  return []
}

function parseManifest(text: string): SealedFile[] | null {
  try {
    const value = JSON.parse(text) as { version?: unknown; files?: unknown } | null
    if (value?.version !== MANIFEST_VERSION || !Array.isArray(value.files)) return null
    return value.files.every(isSealedFile) ? value.files : null
  } catch {
    return null
  }
}

function isSealedFile(value: unknown): value is SealedFile {
  if (typeof value !== 'object' || value === null) return false
  const { path, bytes, sha256 } = value as Record<string, unknown>
  return typeof path === 'string' && typeof bytes === 'number' && typeof sha256 === 'string'
}
