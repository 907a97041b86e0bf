/**
 * Folders in use whose files look new to those who clean temporary folders by age: they judge each
 * file and folder by itself, by any of its times, some after hours. It changes nothing but times.
 */
import type { Dirent } from 'node:fs'
import { lutimes, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** Well below an hour. */
const TOUCH_EVERY_MS = 30 * 60_000
/** Of one round; what lies beyond must look after itself. */
const MAX_TOUCHED = 200_000

export class KeptFresh {
  readonly #folders: Set<string>
  #timer: NodeJS.Timeout | null = null

  constructor(folder: string) {
    this.#folders = new Set([folder])
    this.#schedule()
  }

  /** After `end`: the folders are nobody's any more. */
  get isOver(): boolean {
    return this.#timer === null
  }

  add(folder: string): void {
    this.#folders.add(folder)
  }

  /** Never rejects: what cannot be touched is somebody else's, or gone. */
  async touch(): Promise<void> {
    const now = new Date()
    let left = MAX_TOUCHED
    const open = [...this.#folders]
    for (const path of open) await lutimes(path, now, now).catch(() => undefined)
    for (let folder = open.pop(); folder !== undefined && left > 0; folder = open.pop()) {
      for (const entry of await entriesOf(folder)) {
        if (--left === 0) break
        const path = join(folder, entry.name)
        await lutimes(path, now, now).catch(() => undefined)
        if (entry.isDirectory()) open.push(path)
      }
    }
  }

  end(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #schedule(): void {
    const timer = setTimeout(() => {
      void this.touch().then(() => {
        if (this.#timer === timer) this.#schedule()
      })
    }, TOUCH_EVERY_MS)
    this.#timer = timer.unref()
  }
}

function entriesOf(folder: string): Promise<Dirent[]> {
  return readdir(folder, { withFileTypes: true }).catch(() => [])
}
