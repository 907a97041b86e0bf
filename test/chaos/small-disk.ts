/**
 * A small disk of memory that can be filled and emptied, for the run folder of a chaos run. Where
 * mounting is not allowed there is none, and it says why.
 */
import { spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const CHUNK_BYTES = 1024 * 1024
/** So many chunks fill any disk that `mountDisk` makes; a bound for the case that they do not. */
const MAX_CHUNKS = 4_096

export interface SmallDisk {
  readonly folder: string
  /** Why it can't be filled, or null. */
  readonly problem: string | null
  fill(): void
  empty(): void
  unmount(): void
}

export function mountDisk(folder: string, megabytes: number): SmallDisk {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const options = ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0700`, 'tmpfs', folder]
  const mounted = spawnSync('mount', options, { encoding: 'utf8' })
  const problem =
    mounted.status === 0
      ? null
      : `no tmpfs could be mounted: ${(mounted.stderr ?? String(mounted.error)).trim()}`
  // Where the pool does not look for anything of its own.
  const filler = join(folder, 'filler')
  return {
    folder,
    problem,
    fill: () => writeUntilFull(filler),
    empty: () => rmSync(filler, { force: true }),
    unmount: () => {
      if (problem === null) spawnSync('umount', ['-l', folder])
    },
  }
}

function writeUntilFull(file: string): void {
  const chunk = Buffer.alloc(CHUNK_BYTES, 'x')
  const target = openSync(file, 'w')
  try {
    for (let size = chunk.length, count = 0; size >= 1 && count < MAX_CHUNKS; count++) {
      try {
        writeSync(target, chunk, 0, size)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
        size = Math.floor(size / 2)
      }
    }
  } finally {
    closeSync(target)
  }
}
