/**
 * How much a folder holds. Files that go while it counts are not counted; links are not followed.
 */
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** Bytes of all files in a folder and in its subfolders; 0 when it is gone. */
export async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => [])
  let bytes = 0
  for (const entry of entries) {
    if (!entry.isFile()) continue
    const facts = await lstat(join(entry.parentPath, entry.name)).catch(() => null)
    bytes += facts?.size ?? 0
  }
  return bytes
}
