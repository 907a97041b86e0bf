/**
 * One page of puppeteer as a tab that many tasks use in turn. It notices what a task changes about its page: what can
 * be put back is put back at the reset; anything else makes the reset fail, and the tab is replaced.
 */
import type { CDPSession, Dialog, Page } from 'puppeteer-core'
import type { Artifact, DownloadOptions, DownloadsOptions } from '../../task/context.ts'
import type { DrivenTab } from './browser-driver.ts'
import type { TabSettings } from '../tab-settings.ts'
import { RequestSettings } from '../downloads/download-window.ts'
import type { Action, DownloadApi, DownloadPlace } from '../downloads/downloads.ts'
import { InputState } from './input-state.ts'
import { succeeds } from '../time-limit.ts'
import { answerDialog, TabGuard } from './tab-guard.ts'

/** Settings of a page that are not put back: a task that uses one costs its worker a new tab. */
const STAINS = [
  'authenticate',
  'createCDPSession',
  'emulate',
  'emulateCPUThrottling',
  'emulateFocusedPage',
  'emulateIdleState',
  'emulateLocale',
  'emulateMediaFeatures',
  'emulateMediaType',
  'emulateNetworkConditions',
  'emulateTimezone',
  'emulateVisionDeficiency',
  'evaluateOnNewDocument',
  'exposeFunction',
  'resize',
  'setBypassCSP',
  'setBypassServiceWorker',
  'setCacheEnabled',
  'setDragInterception',
  'setGeolocation',
  'setJavaScriptEnabled',
  'setOfflineMode',
  'setUserAgent',
  'waitForDevicePrompt',
  'waitForFileChooser',
] as const
/** Settings that are put back, and how. */
const UNDO = {
  setDefaultTimeout: (page: Page & Timeouts) => page.setDefaultTimeout(null),
  setDefaultNavigationTimeout: (page: Page & Timeouts) => page.setDefaultNavigationTimeout(null),
  setRequestInterception: (page: Page) => page.setRequestInterception(false),
  setExtraHTTPHeaders: (page: Page, { headers }: TabSettings) => page.setExtraHTTPHeaders(headers),
  setViewport: (page: Page, { viewport }: TabSettings) => page.setViewport(viewport),
}
const PAGE_EVENTS = [
  'close',
  'console',
  'dialog',
  'domcontentloaded',
  'error',
  'frameattached',
  'framedetached',
  'framenavigated',
  'issue',
  'load',
  'metrics',
  'pageerror',
  'popup',
  'request',
  'requestfailed',
  'requestfinished',
  'requestservedfromcache',
  'response',
  'workercreated',
  'workerdestroyed',
]
const POPUP_CLOSE_LIMIT_MS = 2_000

interface PageInternals {
  _client(): CDPSession
}
/** Null is how puppeteer itself says "not set". */
interface Timeouts {
  setDefaultTimeout(timeoutMs: number | null): void
  setDefaultNavigationTimeout(timeoutMs: number | null): void
}

interface TabParts {
  readonly page: Page
  readonly watchdog: CDPSession
  readonly downloads: DownloadApi
  /** What it begins with. */
  readonly settings: TabSettings
  /** Hands cookies and localStorage on to later tabs. */
  share(): Promise<void>
  /** Closes the page and what was made for it. */
  close(): Promise<void>
}

export class PuppeteerTab implements DrivenTab {
  readonly page: Page
  readonly #parts: TabParts
  readonly #guard: TabGuard
  readonly #client: CDPSession
  readonly #input = new InputState()
  readonly #undo = new Set<keyof typeof UNDO>()
  readonly #popups = new Set<Page>()
  #isStained = false
  readonly #requests: RequestSettings
  /** How many tasks have had it. */
  #turn = 0
  #crashed: (() => void) | null = null
  readonly #onDialog = (dialog: Dialog): void => {
    // A task that listens answers by itself; one that doesn't must not hang on a dialog.
    if (this.page.listenerCount('dialog') > 1) return
    answerDialog(dialog)
  }
  readonly #onPopup = (popup: Page | null): void => {
    if (popup !== null) this.#popups.add(popup)
  }

  constructor(parts: TabParts) {
    this.#parts = parts
    this.page = parts.page
    this.#client = (parts.page as Page & PageInternals)._client()
    this.#requests = new RequestSettings(parts.page, this.#client, parts.settings)
    parts.downloads.owners.addTab(parts.page, this.#client)
    this.#watchSettings()
    this.#guard = new TabGuard(parts.page, this.#client, parts.watchdog, (method, params) => {
      if (method.startsWith('Input.')) this.#input.note(method, params ?? {})
    })
    this.#listen()
  }

  /** Called once, when the page's process is gone or its target has been closed. */
  onCrashed(listener: () => void): void {
    this.#crashed = () => {
      this.#crashed = null
      listener()
    }
    // Not the page's own 'close': a task may take every listener off its page.
    this.#parts.watchdog.once('Inspector.targetCrashed', () => this.#crashed?.())
  }

  async answers(): Promise<void> {
    await this.#parts.watchdog.send('Runtime.evaluate', { expression: '0' })
  }

  async reset(): Promise<void> {
    this.#turn += 1
    this.#parts.downloads.abandon(this.page)
    const isChanged = this.#isStained || this.#input.isHeld
    if (isChanged || this.page.isClosed() || !this.#guard.isWhole) {
      throw new Error('the tab was changed for good')
    }
    for (const event of PAGE_EVENTS) {
      if (this.page.listenerCount(event) > 0) this.page.off(event)
    }
    this.#listen()
    const { watchdog } = this.#parts
    await Promise.all([
      this.#guard.retire(),
      this.#input.rest(this.page, watchdog),
      watchdog.send('Page.resetNavigationHistory'),
      ...[...this.#undo].map((setting) => UNDO[setting](this.page, this.#parts.settings)),
      this.#closePopups(),
    ])
    this.#undo.clear()
    this.#guard.arm()
  }

  async share(): Promise<void> {
    await this.#parts.share()
  }

  async interrupt(): Promise<void> {
    await this.#parts.watchdog.send('Runtime.terminateExecution')
  }

  async close(): Promise<void> {
    this.#crashed = null
    this.#turn += 1
    this.#parts.downloads.abandon(this.page)
    this.#parts.downloads.owners.removeTab(this.page)
    void this.#closePopups()
    await this.#parts.close()
  }

  async download(
    source: string | (() => Promise<unknown>),
    folder: string,
    options: DownloadOptions,
  ): Promise<Artifact> {
    const place = this.#place(folder)
    const { downloads } = this.#parts
    return typeof source === 'string'
      ? downloads.fetch(place, source, options)
      : this.#kept(downloads.act(place, source, options))
  }

  downloadAll(action: Action, folder: string, options: DownloadsOptions): Promise<Artifact[]> {
    return this.#kept(this.#parts.downloads.actAll(this.#place(folder), action, options))
  }

  /** The file of an action that has failed may still come: it must not meet the tab's next task. */
  async #kept<T>(work: Promise<T>): Promise<T> {
    try {
      return await work
    } catch (error) {
      this.#isStained = true
      throw error
    }
  }

  #place(folder: string): DownloadPlace {
    const { page } = this,
      requests = this.#requests,
      turn = this.#turn
    return { page, requests, folder, isOpen: () => this.#turn === turn }
  }

  #listen(): void {
    this.page.on('dialog', this.#onDialog)
    this.page.on('popup', this.#onPopup)
  }

  #watchSettings(): void {
    for (const name of STAINS) {
      this.#wrap(name, () => {
        this.#isStained = true
      })
    }
    for (const name of Object.keys(UNDO) as (keyof typeof UNDO)[]) {
      this.#wrap(name, () => {
        this.#undo.add(name)
      })
    }
  }

  #wrap(name: string, notice: () => void): void {
    const call: unknown = Reflect.get(this.page, name)
    if (typeof call !== 'function') return
    const value = (...args: unknown[]): unknown => {
      notice()
      return call.apply(this.page, args)
    }
    Object.defineProperty(this.page, name, { value, configurable: true, writable: true })
  }

  async #closePopups(): Promise<void> {
    const popups = [...this.#popups].filter((popup) => !popup.isClosed())
    this.#popups.clear()
    await Promise.all(popups.map((popup) => succeeds(POPUP_CLOSE_LIMIT_MS, popup.close())))
  }
}
