/** Where a browser puts what it downloads, each file under its guid: kept, given up, or swept. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { copyFile, mkdir, rename, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { CDPSession } from 'puppeteer-core'
import type { LaunchSpec } from '../../process/ipc/protocol.ts'

/** Of one worker: what another's end removes is not this one's. */
export function downloadFolderOf({ tmpFolder, profileFolder }: LaunchSpec): string {
  return join(tmpFolder, 'downloads', basename(profileFolder))
}

export class DownloadFolder {
  readonly #session: CDPSession
  readonly #folder: string
  /** That may download; undefined: the browser's own. */
  readonly #contexts = new Set<string | undefined>()

  /** `session`: of the browser as a whole. */
  constructor(session: CDPSession, folder: string) {
    this.#session = session
    this.#folder = folder
  }

  /** Lets a browser context download into the folder, with events. */
  async admit(browserContextId?: string): Promise<void> {
    this.#contexts.add(browserContextId)
    await this.ready()
    await this.#session.send('Browser.setDownloadBehavior', {
      behavior: 'allowAndName',
      downloadPath: this.#folder,
      eventsEnabled: true,
      ...(browserContextId === undefined ? {} : { browserContextId }),
    })
  }

  /** Before each request: it may have been taken away since the browser was told of it. */
  async ready(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
  }

  /** Forgets a browser context that is closed. */
  dismiss(browserContextId?: string): void {
    this.#contexts.delete(browserContextId)
  }

  /** Moves a whole file to `path`. */
  async take(guid: string, path: string): Promise<{ bytes: number; sha256: string }> {
    const from = join(this.#folder, guid)
    const { size } = await stat(from)
    const hash = createHash('sha256')
    await pipeline(createReadStream(from), hash)
    await move(from, path)
    return { bytes: size, sha256: hash.digest('hex') }
  }

  cancel(guid: string): void {
    // The browser finds it only in its own context, and no event says which that is.
    const cancelled = [...this.#contexts].map((browserContextId) =>
      this.#session.send('Browser.cancelDownload', {
        guid,
        ...(browserContextId === undefined ? {} : { browserContextId }),
      }),
    )
    // It may have ended meanwhile; then its file goes.
    void Promise.allSettled(cancelled).then(() => this.remove(guid))
  }

  remove(guid: string): void {
    rm(join(this.#folder, guid), { force: true }).catch(() => undefined)
  }
}

/** The artifact folder may lie on another file system than the run's. */
async function move(from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
  } catch (error) {
    if (Reflect.get(Object(error), 'code') !== 'EXDEV') throw error
    await copyFile(from, to)
    await rm(from, { force: true })
  }
}
