/**
 * In which order downloads begin: those by an action one after the other on each page, because the browser does not
 * say which of two clicks a file is of; those by URL at once, so many windows at a time.
 */
import type { Page } from 'puppeteer-core'
import { downloadError } from './download-errors.ts'

/** Hidden windows of one browser at once; the next URL waits. */
const MAX_DOWNLOAD_WINDOWS = 8
/** Downloads of one browser, begun or waiting. */
const MAX_DOWNLOADS = 1_000

export class DownloadQueue {
  readonly #pages = new WeakMap<Page, Promise<unknown>>()
  readonly #waiting: (() => void)[] = []
  #windows = 0
  #count = 0

  /**
   * Begins when nothing else that was asked of the page is under way. `over`: the page is free again.
   */
  onPage<T>(
    page: Page,
    begin: () => Promise<{ answer: Promise<T>; over: Promise<unknown> }>,
  ): Promise<T> {
    return this.#counted(async () => {
      const before = this.#pages.get(page) ?? Promise.resolve()
      const begun = before.then(begin)
      const over = begun.then((one) => one.over)
      this.#pages.set(
        page,
        over.catch(() => undefined),
      )
      return (await begun).answer
    })
  }

  /** Runs `work` when a window may be opened. */
  inWindow<T>(work: () => Promise<T>): Promise<T> {
    return this.#counted(async () => {
      if (this.#windows < MAX_DOWNLOAD_WINDOWS) this.#windows += 1
      // The place is handed on by the one who leaves.
      else await new Promise<void>((resolve) => this.#waiting.push(resolve))
      try {
        return await work()
      } finally {
        const next = this.#waiting.shift()
        if (next === undefined) this.#windows -= 1
        else next()
      }
    })
  }

  async #counted<T>(run: () => Promise<T>): Promise<T> {
    if (this.#count >= MAX_DOWNLOADS) {
      const what = `More than ${MAX_DOWNLOADS} downloads of one browser at once; await some first.`
      throw downloadError(what, { code: 'DOWNLOAD_LIMIT', retryable: false })
    }
    this.#count += 1
    try {
      return await run()
    } finally {
      this.#count -= 1
    }
  }
}
