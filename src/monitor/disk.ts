/** How much room a folder's disk has, and whether that is enough. It only asks. */
import type { StatsFs } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { TroupeError } from '../common/errors.ts'

export interface DiskReading {
  /** Bytes that we, not only root, may still write. */
  readonly freeBytes: number
  readonly totalBytes: number
}

/**
 * The room on the disk that holds `folder`, or will hold it once it is made.
 *
 * @throws Error of the file system when neither it nor a folder above it can be asked.
 */
export async function readDisk(folder: string): Promise<DiskReading> {
  const { bavail, blocks, bsize } = await statfsOf(resolve(folder))
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
}

/** Of the nearest folder that is there. */
async function statfsOf(folder: string): Promise<StatsFs> {
  try {
    return await statfs(folder)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const above = dirname(folder)
    if ((code !== 'ENOENT' && code !== 'ENOTDIR') || above === folder) throw error
    return statfsOf(above)
  }
}

/**
 * Refuses to write to a disk that is nearly full: a profile or a file cut short is worse than none.
 *
 * @param floorBytes that must stay free; 0: never refuses.
 * @param what would be written, for the message.
 * @throws TroupeError of `code`, naming the folder and both figures.
 */
export async function assertRoom(
  folder: string,
  floorBytes: number,
  what: string,
  code: 'PROFILE_FAILED' | 'TASK_FAILED',
): Promise<void> {
  if (floorBytes === 0) return
  const { freeBytes } = await readDisk(folder)
  if (freeBytes >= floorBytes) return
  const message =
    `no room for ${what}: the disk of ${folder} has ${freeBytes} bytes left, ` +
    `diskFloor keeps ${floorBytes} free. Clear the disk, or lower diskFloor.`
  throw new TroupeError(code, message)
}
