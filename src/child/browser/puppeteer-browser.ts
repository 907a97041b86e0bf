/**
 * One Chromium as a session uses it: opens its tabs, shared or each in a clean context of its own,
 * and clears away what tasks have opened or been granted beside them. It decides nothing.
 */
import { rm } from 'node:fs/promises'
import type { Browser, BrowserContext, CDPSession, Page } from 'puppeteer-core'
import { sizeOf } from '../../common/folder-size.ts'
import type { BrowserSpec, DrivenBrowser, DrivenTab } from './browser-driver.ts'
import type { TabSettings } from '../tab-settings.ts'
import type { BrowserProcess } from './browser-process.ts'
import { downloadFolderOf } from '../downloads/download-folder.ts'
import type { DownloadApi } from '../downloads/downloads.ts'
import { PuppeteerTab } from './puppeteer-tab.ts'
import { harvest, OriginLog, plantCookies, plantOrigins, type Seed, seedOf } from './web-storage.ts'
import { targetIdOf } from '../downloads/window-log.ts'

interface BrowserParts {
  readonly browser: Browser
  readonly process: BrowserProcess
  readonly session: CDPSession
  readonly downloads: DownloadApi
  readonly lost: Promise<void>
  readonly spec: BrowserSpec
}

export class PuppeteerBrowser implements DrivenBrowser {
  readonly pid: number | null
  readonly #parts: BrowserParts
  readonly #own = new Set<string>()
  readonly #contexts = new Set<string | undefined>()
  readonly #permissions: PermissionLog
  #opening = 0
  /** What every new context begins with; under isolation `session` the one that there is. */
  #seed: Seed
  #isPlanted = false

  constructor(parts: BrowserParts) {
    this.#parts = parts
    this.pid = parts.process.pid
    this.#seed = seedOf(parts.spec.state)
    this.#permissions = new PermissionLog(parts.browser.defaultBrowserContext())
    void parts.lost.then(() => parts.process.kill())
  }

  onDisconnected(listener: () => void): void {
    void this.#parts.lost.then(listener)
  }

  async openTab(): Promise<DrivenTab> {
    this.#opening += 1
    try {
      const { browser, spec } = this.#parts
      if (spec.isolation === 'context') return await this.#openContext()
      const context = browser.defaultBrowserContext()
      const tab = await this.#tabIn(context, null)
      if (!this.#isPlanted) await this.#plant(context)
      this.#isPlanted = true
      return tab
    } finally {
      this.#opening -= 1
    }
  }

  async probe(): Promise<void> {
    this.#opening += 1
    try {
      const context = await this.#ownContext()
      const page = await context.newPage()
      await page.evaluate('1')
      await this.#closeContext(context)
    } finally {
      this.#opening -= 1
    }
  }

  async tidy(): Promise<void> {
    const { browser } = this.#parts
    const contexts = browser
      .browserContexts()
      .filter(({ id }) => id !== undefined && !this.#contexts.has(id))
    await Promise.all([
      this.#permissions.takeBack(),
      this.#closeStrangers(),
      // It may be closing by itself.
      ...contexts.map((context) => context.close().catch(() => undefined)),
    ])
  }

  profileBytes(): Promise<number> {
    return sizeOf(this.#parts.spec.profileFolder)
  }

  async close(): Promise<void> {
    const { browser, process } = this.#parts
    await browser.close()
    await process.exited
    await rm(downloadFolderOf(this.#parts.spec), { recursive: true, force: true })
  }

  kill(): void {
    this.#parts.process.kill()
  }

  async #openContext(): Promise<DrivenTab> {
    await this.#takeBaseCookies()
    const context = await this.#ownContext()
    await this.#parts.downloads.admit(context.id)
    const tab = await this.#tabIn(context, context)
    await this.#plant(context)
    return tab
  }

  async #ownContext(): Promise<BrowserContext> {
    const context = await this.#parts.browser.createBrowserContext()
    this.#contexts.add(context.id)
    return context
  }

  async #closeContext(context: BrowserContext): Promise<void> {
    await context.close()
    this.#contexts.delete(context.id)
    this.#parts.downloads.dismiss(context.id)
  }

  async #closeStrangers(): Promise<void> {
    const { session, spec } = this.#parts
    const isFresh = spec.isolation === 'context'
    // A tab of ours that is just being opened can't be told from a stranger; it will be the next time.
    if (!isFresh && this.#opening > 0) return
    // Asked of the browser itself: puppeteer lists a new target only once it has set it up.
    const { targetInfos } = await session.send('Target.getTargets')
    const strangers = targetInfos.filter(
      ({ type, targetId, browserContextId }) =>
        type === 'page' && !this.#own.has(targetId) && !this.#contexts.has(browserContextId),
    )
    await Promise.all(strangers.map(({ targetId }) => closeTarget(session, targetId)))
  }

  /** A base profile's cookies lie in the context that no task gets here. */
  async #takeBaseCookies(): Promise<void> {
    if (this.#isPlanted) return
    this.#isPlanted = true
    const { browser, session } = this.#parts
    const base = await harvest(session, browser.defaultBrowserContext(), [])
    this.#seed = { ...this.#seed, cookies: [...base.cookies, ...this.#seed.cookies] }
  }

  async #plant(context: BrowserContext): Promise<void> {
    const { session } = this.#parts
    await Promise.all([
      plantCookies(session, context, this.#seed),
      plantOrigins(context, this.#seed),
    ])
  }

  async #tabIn(context: BrowserContext, owned: BrowserContext | null): Promise<DrivenTab> {
    const { downloads, session, spec } = this.#parts
    const page = await context.newPage()
    const targetId = targetIdOf(page)
    this.#own.add(targetId)
    const origins = owned === null ? null : new OriginLog(page, owned)
    // Opened before any code of a task can hang the page: later it would not open at all.
    const watchdog = await page.createCDPSession()
    await settle(page, spec.tab)
    const close = async (): Promise<void> => {
      this.#own.delete(targetId)
      if (owned !== null) await this.#closeContext(owned)
      else if (!page.isClosed()) await page.close()
    }
    const share = async (): Promise<void> => {
      if (owned === null || origins === null) return
      this.#opening += 1
      try {
        const known = this.#seed.origins.map(({ origin }) => origin)
        this.#seed = await harvest(session, owned, [...new Set([...known, ...origins.all()])])
      } finally {
        this.#opening -= 1
      }
    }
    return new PuppeteerTab({ page, watchdog, downloads, settings: spec.tab, share, close })
  }
}

async function settle(page: Page, settings: TabSettings): Promise<void> {
  const { headers, viewport, credentials } = settings
  if (viewport !== null) await page.setViewport(viewport)
  if (Object.keys(headers).length > 0) await page.setExtraHTTPHeaders(headers)
  if (credentials !== null) await page.authenticate(credentials)
}

/** Notices what tasks that share a context are granted, which would outlast them. */
class PermissionLog {
  readonly #context: BrowserContext
  #isTouched = false

  constructor(context: BrowserContext) {
    this.#context = context
    for (const name of ['overridePermissions', 'setPermission'] as const) {
      const call = context[name].bind(context) as (...args: unknown[]) => Promise<void>
      const value = (...args: unknown[]): Promise<void> => {
        this.#isTouched = true
        return call(...args)
      }
      Object.defineProperty(context, name, { value, configurable: true, writable: true })
    }
  }

  async takeBack(): Promise<void> {
    if (!this.#isTouched) return
    this.#isTouched = false
    await this.#context.clearPermissionOverrides()
  }
}

async function closeTarget(session: CDPSession, targetId: string): Promise<void> {
  // It may have closed by itself.
  await session.send('Target.closeTarget', { targetId }).catch(() => undefined)
}
