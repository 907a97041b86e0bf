/**
 * Downloads of one browser. Every file lands under its guid in a folder of the run; it is kept only if it belongs to a
 * request of a task, and then moved to where the task wants it. Any other is cancelled: it can't fill the disk.
 */
import { join } from 'node:path'
import type { CDPSession, HTTPResponse, Page, Protocol } from 'puppeteer-core'
import type { Artifact, DownloadOptions, DownloadsOptions } from '../../task/context.ts'
import { downloadError } from './download-errors.ts'
import { DownloadFolder } from './download-folder.ts'
import { DownloadOwners } from './download-owners.ts'
import { DownloadQueue } from './download-queue.ts'
import { type BegunFile, DownloadTicket, type Expectation } from './download-ticket.ts'
import { openDownloadWindow, type RequestSettings } from './download-window.ts'
import { forceDownload } from './forced-download.ts'
import { RequestLog } from './request-log.ts'

const DEFAULT_DOWNLOAD_TIMEOUT_MS = 30_000
const DEFAULT_MAX_DOWNLOAD_BYTES = 256 * 1024 * 1024
/** So long nothing may begin or end before an action of unknown many files counts as done. */
const DEFAULT_QUIET_MS = 1_000
/** Answers of which a waiting download remembers the type. */
const MAX_TYPES = 1_000

export type Action = () => Promise<unknown>

/** The tab that asks, and where its files go. */
export interface DownloadPlace {
  readonly page: Page
  readonly requests: RequestSettings
  readonly folder: string
  /** False once the task that asks has ended. */
  isOpen(): boolean
}

export class DownloadApi {
  readonly owners: DownloadOwners
  readonly #session: CDPSession
  readonly #files: DownloadFolder
  readonly #queue = new DownloadQueue()
  /** By the tab whose task acts on the page, and by page. */
  readonly #requests = new Map<Page, Map<Page, RequestLog<DownloadTicket>>>()
  /** By guid: files whose ticket still waits. */
  readonly #begun = new Map<string, { file: BegunFile; ticket: DownloadTicket | null }>()

  /** `session`: of the browser as a whole. */
  constructor(session: CDPSession, folder: string) {
    this.#session = session
    this.#files = new DownloadFolder(session, folder)
    this.owners = new DownloadOwners(session)
    session.on('Browser.downloadWillBegin', (event) => this.#began(event))
    session.on('Browser.downloadProgress', (event) => this.#progressed(event))
  }

  admit(browserContextId?: string): Promise<void> {
    return this.#files.admit(browserContextId)
  }

  dismiss(browserContextId?: string): void {
    this.#files.dismiss(browserContextId)
  }

  /** Downloads one URL in a window of its own, beside whatever else is under way. */
  fetch(place: DownloadPlace, url: string, options: DownloadOptions): Promise<Artifact> {
    return this.#queue.inWindow(async () => {
      await this.#files.ready()
      const window = await openDownloadWindow(this.#session, place.page, place.requests)
      const target = { windowId: window.id }
      const ticket = new DownloadTicket(target, place.page, expectation(options, 1, 0))
      const { credentials } = place.requests
      this.owners.add(ticket)
      const types = new Map<string, string>()
      try {
        const work = forceDownload({ ...window, credentials }, url, ticket.done).then((answer) => {
          const [file] = ticket.files
          if (answer?.contentType !== undefined && file) types.set(file.url, answer.contentType)
        })
        const [artifact] = await this.#complete(ticket, work, types, place, options)
        return artifact as Artifact
      } finally {
        window.close()
      }
    })
  }

  /** Does what begins one file, once nothing else is under way on the page. */
  async act(place: DownloadPlace, action: Action, options: DownloadOptions): Promise<Artifact> {
    const [artifact] = await this.#onPage(place, action, options, expectation(options, 1, 0))
    return artifact as Artifact
  }

  /** Does what begins several files, and returns them in the order in which they began. */
  actAll(place: DownloadPlace, action: Action, options: DownloadsOptions): Promise<Artifact[]> {
    const { count = null, quiet = DEFAULT_QUIET_MS } = options
    return this.#onPage(place, action, options, expectation(options, count, quiet))
  }

  /** What a tab has under way ends with it: nothing of it may reach the tab's next task. */
  abandon(owner: Page): void {
    for (const ticket of this.owners.of(owner)) ticket.reject(abandoned())
    for (const requests of this.#requests.get(owner)?.values() ?? []) requests.close()
    this.#requests.delete(owner)
  }

  #requestsOf(owner: Page, page: Page): RequestLog<DownloadTicket> {
    const all = this.#requests.get(owner) ?? new Map<Page, RequestLog<DownloadTicket>>()
    this.#requests.set(owner, all)
    const requests = all.get(page) ?? new RequestLog(page)
    all.set(page, requests)
    return requests
  }

  #onPage(
    place: DownloadPlace,
    action: Action,
    options: DownloadOptions,
    expects: Expectation,
  ): Promise<Artifact[]> {
    const page = options.page ?? place.page
    return this.#queue.onPage(page, async () => {
      await this.#files.ready()
      if (!place.isOpen()) throw abandoned()
      const requests = this.#requestsOf(place.page, page)
      const ticket = new DownloadTicket({ page, requests }, place.page, expects)
      this.owners.add(ticket)
      const work = requests.begin(ticket).then(async () => {
        // Its time may be over before anything could begin.
        if (this.owners.has(ticket)) await action()
        ticket.acted()
      })
      const answer = this.#withTypes(page, (types) =>
        this.#complete(ticket, work, types, place, options),
      )
      return { answer, over: requests.ended(answer, work) }
    })
  }

  /** Remembers meanwhile of which types the page's answers are, by URL. */
  async #withTypes<T>(
    page: Page,
    work: (types: ReadonlyMap<string, string>) => Promise<T>,
  ): Promise<T> {
    const types = new Map<string, string>()
    const noteType = (response: HTTPResponse): void => {
      const type = response.headers()['content-type']
      if (type !== undefined && types.size < MAX_TYPES) types.set(response.url(), type)
    }
    page.on('response', noteType)
    try {
      return await work(types)
    } finally {
      page.off('response', noteType)
    }
  }

  async #complete(
    ticket: DownloadTicket,
    work: Promise<unknown>,
    types: ReadonlyMap<string, string>,
    { folder }: DownloadPlace,
    options: DownloadOptions,
  ): Promise<Artifact[]> {
    const timeoutMs = options.timeout ?? DEFAULT_DOWNLOAD_TIMEOUT_MS
    const timer = setTimeout(() => ticket.late(timeoutMs), timeoutMs)
    try {
      await Promise.all([ticket.done, work])
      const kept: Artifact[] = []
      for (const [index, file] of ticket.files.entries()) {
        kept.push(await this.#keep(file, join(folder, `download-${index}`), types, options))
      }
      return kept
    } catch (error) {
      for (const { guid } of ticket.files) this.#files.cancel(guid)
      throw error
    } finally {
      clearTimeout(timer)
      ticket.reject(abandoned())
      this.owners.remove(ticket)
      for (const { guid } of ticket.files) this.#begun.delete(guid)
    }
  }

  #began({ guid, frameId, url, suggestedFilename }: Protocol.Browser.DownloadWillBeginEvent) {
    const file: BegunFile = { guid, name: suggestedFilename, url, state: 'inProgress', bytes: 0 }
    const owner = this.owners.ownerOf(frameId, url)
    if (owner === null) return this.#files.cancel(guid)
    const entry: { file: BegunFile; ticket: DownloadTicket | null } = { file, ticket: null }
    this.#begun.set(guid, entry)
    const give = (ticket: DownloadTicket | null): void => {
      entry.ticket = ticket
      if (ticket !== null && this.owners.has(ticket)) return ticket.add(file)
      this.#begun.delete(guid)
      this.#files.cancel(guid)
    }
    if (owner instanceof DownloadTicket) give(owner)
    else void owner.then(give)
  }

  #progressed(event: Protocol.Browser.DownloadProgressEvent): void {
    const entry = this.#begun.get(event.guid)
    if (entry === undefined) {
      // One that was cancelled too late to be prevented.
      if (event.state === 'completed') this.#files.remove(event.guid)
      return
    }
    const { file, ticket } = entry
    file.state = event.state
    file.bytes = Math.max(event.receivedBytes, event.totalBytes)
    ticket?.moved(file)
  }

  async #keep(
    { guid, name, url }: BegunFile,
    path: string,
    types: ReadonlyMap<string, string>,
    options: DownloadOptions,
  ): Promise<Artifact> {
    const { bytes, sha256 } = await this.#files.take(guid, path)
    const { maxBytes = DEFAULT_MAX_DOWNLOAD_BYTES } = options
    if (bytes > maxBytes) {
      const what = `The download is larger than ${maxBytes} bytes.`
      throw downloadError(what, { retryable: false })
    }
    const contentType = types.get(url)
    const known = contentType === undefined ? {} : { contentType }
    return { name: options.name ?? name, path, bytes, sha256, url, ...known }
  }
}

function expectation(
  { maxBytes = DEFAULT_MAX_DOWNLOAD_BYTES }: DownloadOptions,
  count: number | null,
  quietMs: number,
): Expectation {
  return { count, quietMs, maxBytes }
}

function abandoned(): Error {
  const what = 'The task has ended while the download was under way; await it.'
  return downloadError(what, { code: 'DOWNLOAD_ABANDONED' })
}
