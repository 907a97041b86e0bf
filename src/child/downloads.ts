/**
 * Downloads of one browser. Every file lands under its guid in a folder of the run; it is kept only if a task waits
 * for it, and then moved to where the task wants it. One that nobody asked for is cancelled: it can't fill the disk.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { copyFile, mkdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { CDPSession, HTTPResponse, Page, Protocol } from 'puppeteer-core'
import { TroupeError } from '../errors.ts'
import type { Artifact, DownloadOptions } from '../tasks.ts'
import { forceDownload } from './forced-download.ts'
import { type Kinship, WindowLog } from './window-log.ts'

export const DEFAULT_DOWNLOAD_TIMEOUT_MS = 30_000
export const DEFAULT_MAX_DOWNLOAD_BYTES = 256 * 1024 * 1024
/** Answers of which a waiting download remembers the type. */
const MAX_TYPES = 1_000

export interface DownloadRequest {
  readonly page: Page
  /** A session of that page. */
  readonly session: CDPSession
  readonly source: string | (() => Promise<unknown>)
  readonly folder: string
  readonly options: DownloadOptions
}

interface Pending {
  readonly page: Page
  readonly maxBytes: number
  guid: string | null
  suggestedName: string
  /** Where it comes from in the end. */
  url: string
  /** As far as the page's answers told it, by URL. */
  readonly types: Map<string, string>
  resolve(): void
  reject(error: Error): void
}

export class DownloadDesk {
  private readonly session: CDPSession
  private readonly folder: string
  private readonly windows: WindowLog
  private readonly pending = new Set<Pending>()
  /** That may download; undefined: the browser's own. */
  private readonly contexts = new Set<string | undefined>()

  /** `session`: of the browser as a whole. */
  constructor(session: CDPSession, folder: string) {
    this.session = session
    this.folder = folder
    this.windows = new WindowLog(session)
    session.on('Browser.downloadWillBegin', (event) => this.began(event))
    session.on('Browser.downloadProgress', (event) => this.progressed(event))
  }

  /** Lets a browser context download into the folder, with events. */
  async admit(browserContextId?: string): Promise<void> {
    this.contexts.add(browserContextId)
    await mkdir(this.folder, { recursive: true })
    await this.session.send('Browser.setDownloadBehavior', {
      behavior: 'allowAndName',
      downloadPath: this.folder,
      eventsEnabled: true,
      ...(browserContextId === undefined ? {} : { browserContextId }),
    })
  }

  /** Forgets a browser context that is closed. */
  dismiss(browserContextId?: string): void {
    this.contexts.delete(browserContextId)
  }

  /** Starts one download and resolves once the file is whole and in its place. */
  async fetch(request: DownloadRequest): Promise<Artifact> {
    const { options, source, page } = request
    const done = Promise.withResolvers<void>()
    const pending: Pending = {
      page,
      maxBytes: options.maxBytes ?? DEFAULT_MAX_DOWNLOAD_BYTES,
      guid: null,
      suggestedName: 'download',
      url: '',
      types: new Map(),
      resolve: done.resolve,
      reject: done.reject,
    }
    this.pending.add(pending)
    const noteType = (response: HTTPResponse): void => {
      const type = response.headers()['content-type']
      if (type !== undefined && pending.types.size < MAX_TYPES)
        pending.types.set(response.url(), type)
    }
    page.on('response', noteType)
    const timeoutMs = options.timeout ?? DEFAULT_DOWNLOAD_TIMEOUT_MS
    const timer = setTimeout(() => {
      const what = pending.guid === null ? 'No download began' : 'The download did not end'
      pending.reject(failure(`${what} within ${timeoutMs} ms.`))
    }, timeoutMs)
    try {
      if (typeof source === 'string') {
        const [, answer] = await Promise.all([
          done.promise,
          forceDownload(request, source, done.promise),
        ])
        if (answer?.contentType !== undefined) pending.types.set(pending.url, answer.contentType)
      } else {
        await Promise.all([done.promise, source()])
      }
      return await this.keep(pending, request)
    } catch (error) {
      this.cancel(pending.guid)
      throw error
    } finally {
      clearTimeout(timer)
      page.off('response', noteType)
      this.pending.delete(pending)
      done.promise.catch(() => undefined)
    }
  }

  private began(event: Protocol.Browser.DownloadWillBeginEvent): void {
    const pending = this.waiterOf(event.frameId)
    if (pending === null) return this.cancel(event.guid)
    pending.guid = event.guid
    pending.suggestedName = event.suggestedFilename
    pending.url = event.url
  }

  private progressed(event: Protocol.Browser.DownloadProgressEvent): void {
    const pending = [...this.pending].find(({ guid }) => guid === event.guid)
    if (pending === undefined) {
      // One that was cancelled too late to be prevented.
      if (event.state === 'completed') this.remove(event.guid)
      return
    }
    if (Math.max(event.receivedBytes, event.totalBytes) > pending.maxBytes) {
      pending.reject(failure(`The download is larger than ${pending.maxBytes} bytes.`, false))
    } else if (event.state === 'completed') pending.resolve()
    else if (event.state === 'canceled') pending.reject(failure('The download was broken off.'))
  }

  /**
   * By the frame it began in, or the window that one of its pages has opened. Of a window that
   * nobody has opened, or that is not known, it belongs to whoever alone waits for one.
   */
  private waiterOf(frameId: string): Pending | null {
    const waiting = [...this.pending].filter(({ guid }) => guid === null)
    const owner = waiting.find(({ page }) => page.frames().some((frame) => idOf(frame) === frameId))
    if (owner !== undefined) return owner
    const kin = (kinship: Kinship) =>
      waiting.filter(({ page }) => this.windows.kinshipOf(frameId, page) === kinship)
    const [opener] = kin('opened')
    if (opener !== undefined) return opener
    const others = [...kin('sameContext'), ...kin('unknown')]
    return others.length === 1 ? (others[0] ?? null) : null
  }

  private async keep(pending: Pending, { folder, options }: DownloadRequest): Promise<Artifact> {
    const from = join(this.folder, pending.guid ?? '')
    const path = join(folder, 'download')
    const { size } = await stat(from)
    if (size > pending.maxBytes) {
      this.remove(pending.guid ?? '')
      throw failure(`The download is larger than ${pending.maxBytes} bytes.`, false)
    }
    const hash = createHash('sha256')
    await pipeline(createReadStream(from), hash)
    await move(from, path)
    const { url, types, suggestedName } = pending
    const contentType = types.get(url)
    return {
      name: options.name ?? suggestedName,
      path,
      bytes: size,
      sha256: hash.digest('hex'),
      url,
      ...(contentType === undefined ? {} : { contentType }),
    }
  }

  private cancel(guid: string | null): void {
    if (guid === null) return
    // The browser finds it only in its own context, and no event says which that is.
    const cancelled = [...this.contexts].map((browserContextId) =>
      this.session.send('Browser.cancelDownload', {
        guid,
        ...(browserContextId === undefined ? {} : { browserContextId }),
      }),
    )
    // It may have ended meanwhile; then its file goes.
    void Promise.allSettled(cancelled).then(() => this.remove(guid))
  }

  private remove(guid: string): void {
    if (guid !== '') rm(join(this.folder, guid), { force: true }).catch(() => undefined)
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

function failure(message: string, retryable = true): TroupeError {
  return new TroupeError('TASK_FAILED', message, { retryable })
}

function idOf(frame: object): unknown {
  return Reflect.get(frame, '_id')
}
