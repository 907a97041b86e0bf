/** One call that waits for files, and the files that the browser has begun for it. */
import type { Page } from 'puppeteer-core'
import { downloadError } from './download-errors.ts'
import type { RequestLog } from './request-log.ts'

/** Files of one action. */
const MAX_FILES_PER_ACTION = 1_000

export interface BegunFile {
  readonly guid: string
  readonly name: string
  /** Where it comes from in the end. */
  readonly url: string
  state: 'inProgress' | 'completed' | 'canceled'
  bytes: number
}

export interface Expectation {
  /** How many files; null: as many as come until it is quiet. */
  readonly count: number | null
  readonly quietMs: number
  readonly maxBytes: number
}

/** A page of the task and what it has asked for, or a window of the ticket's own. */
type Target =
  | { readonly page: Page; readonly requests: RequestLog<DownloadTicket> }
  | { readonly windowId: string }

export class DownloadTicket {
  /** What began for it, in order. */
  readonly files: BegunFile[] = []
  readonly done: Promise<void>
  /** Where a file of it may begin. */
  readonly target: Target
  readonly owner: Page
  readonly #expects: Expectation
  readonly #settle = Promise.withResolvers<void>()
  #isActed = false
  #passedOver = 0
  #quiet: NodeJS.Timeout | null = null

  constructor(target: Target, owner: Page, expects: Expectation) {
    this.target = target
    this.owner = owner
    this.#expects = expects
    this.done = this.#settle.promise
    this.done.catch(() => undefined)
  }

  /** A file began on its page that an earlier request had asked for, or a request of nobody's. */
  passOver(): void {
    this.#passedOver += 1
  }

  late(timeoutMs: number): void {
    if (this.files.length > 0) {
      return this.reject(downloadError(`The download did not end within ${timeoutMs} ms.`))
    }
    const what = `No download began within ${timeoutMs} ms`
    if (this.#passedOver === 0) return this.reject(downloadError(`${what}.`))
    const why = `${what} but what was asked for before the action (${this.#passedOver}).`
    this.reject(downloadError(why, { code: 'DOWNLOAD_AMBIGUOUS' }))
  }

  /** The action has ended; from now on quiet counts. */
  acted(): void {
    this.#isActed = true
    this.#look()
  }

  add(file: BegunFile): void {
    this.files.push(file)
    const { count } = this.#expects
    if (this.files.length > (count ?? MAX_FILES_PER_ACTION)) return this.reject(this.#tooMany())
    this.moved(file)
  }

  /** Something was heard of a file of it. */
  moved(file: BegunFile): void {
    const { maxBytes } = this.#expects
    if (file.bytes > maxBytes) {
      const what = `The download is larger than ${maxBytes} bytes.`
      return this.reject(downloadError(what, { retryable: false }))
    }
    if (file.state === 'canceled') this.reject(downloadError('The download was broken off.'))
    else this.#look()
  }

  reject(error: Error): void {
    if (this.#quiet !== null) clearTimeout(this.#quiet)
    this.#settle.reject(error)
  }

  #look(): void {
    if (this.#quiet !== null) clearTimeout(this.#quiet)
    const { files } = this
    const { count, quietMs } = this.#expects
    if (files.length < (count ?? 1) || files.some(({ state }) => state !== 'completed')) return
    if (count !== null) return this.#settle.resolve()
    if (this.#isActed) this.#quiet = setTimeout(() => this.#settle.resolve(), quietMs)
  }

  #tooMany(): Error {
    const { count } = this.#expects
    if (count === null) {
      const what = `The action began more than ${MAX_FILES_PER_ACTION} downloads.`
      return downloadError(what, { code: 'DOWNLOAD_LIMIT', retryable: false })
    }
    const names = this.files.slice(0, 5).map(({ name }) => name)
    const began = `The action began more downloads than ${count} (${names.join(', ')})`
    const what = `${began}; downloads(action) returns all of them.`
    return downloadError(what, { code: 'DOWNLOAD_AMBIGUOUS', retryable: false })
  }
}
