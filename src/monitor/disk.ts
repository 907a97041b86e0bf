/** How much room a folder's disk has. It only asks. */
import { statfs } from 'node:fs/promises'

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
