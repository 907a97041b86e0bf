/** How much room a folder's disk has, and whether that is enough. It only asks. */
import { statfs } from 'node:fs/promises'
import { TroupeError } from '../errors.ts'

export interface DiskReading {
  /** Bytes that we, not only root, may still write. */
  readonly freeBytes: number
  readonly totalBytes: number
}

/**
 * The room on the disk that holds `folder`.
 *
 * @throws Error of the file system when there is no such folder.
 */
export async function readDisk(folder: string): Promise<DiskReading> {
  const { bavail, blocks, bsize } = await statfs(folder)
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
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
