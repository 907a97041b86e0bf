/**
 * Clones a profile by allow-list: only what is kept is copied, so neither Chromium's locks nor its
 * caches come along, and only from a base that passes its check. It never copies a profile in use,
 * and never leaves half a clone.
 */
import { constants } from 'node:fs'
import { chmod, copyFile, mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { TroupeError } from '../common/errors.ts'
import { removeFolder } from '../process/own-folder.ts'
import { listKept } from './allow-list.ts'
import { checkProfile, failed } from './seal.ts'

/** Bytes of kept files a profile may have unless told otherwise. */
export const DEFAULT_MAX_PROFILE_BYTES = 100 * 1024 * 1024

interface CloneOptions {
  /** The profile to clone. Without one the new profile is empty. */
  readonly base?: string
  /** Must not exist yet; made 0700. */
  readonly target: string
  /** Default 100 MB. */
  readonly maxBytes?: number
}

export interface Clone {
  readonly folder: string
  readonly files: number
  readonly bytes: number
}

/**
 * Makes a profile folder, as a clone of `base` or empty.
 *
 * @throws TroupeError PROFILE_FAILED when the base has a problem, is too large, or the target is
 * already there.
 * @example
 * await cloneProfile({ base: '/home/me/portal-login', target: join(run.profiles, 'worker-1.1') })
 */
export async function cloneProfile(options: CloneOptions): Promise<Clone> {
  if (options.base !== undefined) {
    const { ok, problems } = await checkProfile(options.base)
    if (!ok) throw failed(options.base, problems)
  }
  return copyProfile(options)
}

/** As `cloneProfile`, of a base that the caller has just checked. */
export async function copyProfile(options: CloneOptions): Promise<Clone> {
  const { base, target, maxBytes = DEFAULT_MAX_PROFILE_BYTES } = options
  try {
    await mkdir(target, { mode: 0o700 })
  } catch (cause) {
    throw new TroupeError('PROFILE_FAILED', `cannot make the profile ${target}`, { cause })
  }
  if (base === undefined) return { folder: target, files: 0, bytes: 0 }
  try {
    return await copyKept(base, target, maxBytes)
  } catch (cause) {
    await removeFolder(target)
    if (cause instanceof TroupeError) throw cause
    const message = `cannot clone the profile ${base}: ${(cause as Error).message}`
    throw new TroupeError('PROFILE_FAILED', message, { cause })
  }
}

async function copyKept(base: string, target: string, maxBytes: number): Promise<Clone> {
  const kept = await listKept(base)
  const bytes = kept.reduce((sum, file) => sum + file.bytes, 0)
  if (bytes > maxBytes) {
    throw new TroupeError(
      'PROFILE_FAILED',
      `the profile ${base} has ${bytes} bytes to keep, ${maxBytes} are allowed. ` +
        'Clear its storage, or raise the limit',
    )
  }
  for (const { path } of kept) {
    const copy = join(target, path)
    await mkdir(dirname(copy), { recursive: true, mode: 0o700 })
    await copyFile(join(base, path), copy, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
    // A base may be read-only; its clone is to be written to.
    await chmod(copy, 0o600)
  }
  return { folder: target, files: kept.length, bytes }
}
