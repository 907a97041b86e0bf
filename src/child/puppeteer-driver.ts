/**
 * The production driver: Chromium over a pipe, spoken to by puppeteer. The only file that loads puppeteer at run time,
 * and only its browser half: the launching half costs 14 MB and 50 ms and is replaced by `browser-process.ts`.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type {
  Browser,
  BrowserContext,
  CDPSession,
  ConnectOptions,
  Page,
  Protocol,
} from 'puppeteer-core'
import type { LaunchSpec } from '../worker/protocol.ts'
import type { BrowserDriver, DrivenBrowser, DrivenTab } from './browser-driver.ts'
import { BrowserProcess } from './browser-process.ts'
import { DownloadDesk } from './downloads.ts'
import { succeeds } from './limit.ts'
import { PuppeteerTab } from './puppeteer-tab.ts'

/** A browser may not start on a profile that the one before still holds. */
const PREDECESSOR_LIMIT_MS = 2_000

/** Begins to load at once; a launch spawns Chromium first and waits for this meanwhile. */
const library = loadLibrary()
library.catch(() => undefined)
const processes = new Set<BrowserProcess>()

/** The internal entry has the same classes as the public one, but its own types. */
interface Library {
  connect(options: ConnectOptions): Promise<Browser>
}

async function loadLibrary(): Promise<Library> {
  const half: unknown = await import('puppeteer-core/internal/puppeteer-core-browser.js')
  // The browser half knows no files: this gives `screenshot({ path })` and `pdf({ path })` theirs.
  await import('puppeteer-core/internal/node-env-setup.js')
  return half as Library
}

export const driver: BrowserDriver = {
  async launch(spec) {
    const before = Promise.all([...processes].map(({ exited }) => exited))
    await succeeds(PREDECESSOR_LIMIT_MS, before)
    const process = new BrowserProcess(spec)
    processes.add(process)
    void process.exited.then(() => processes.delete(process))
    try {
      return await Promise.race([connect(process, spec), process.failed])
    } catch (error) {
      process.kill()
      throw error
    }
  },
  killAll() {
    for (const process of processes) process.kill()
  },
}

async function connect(process: BrowserProcess, spec: LaunchSpec): Promise<DrivenBrowser> {
  const lost = Promise.withResolvers<void>()
  const { connect: connectTo } = await library
  const browser = await connectTo({
    transport: process.transport,
    defaultViewport: null,
    issuesEnabled: false,
  })
  browser.once('disconnected', () => lost.resolve())
  void process.exited.then(() => lost.resolve())
  const session = await browser.target().createCDPSession()
  const downloads = new DownloadDesk(session, join(spec.tmpFolder, 'downloads'))
  if (spec.isolation === 'session') await downloads.admit()
  return new PuppeteerBrowser({ browser, process, session, downloads, lost: lost.promise, spec })
}

interface BrowserParts {
  readonly browser: Browser
  readonly process: BrowserProcess
  readonly session: CDPSession
  readonly downloads: DownloadDesk
  readonly lost: Promise<void>
  readonly spec: LaunchSpec
}

class PuppeteerBrowser implements DrivenBrowser {
  readonly pid: number | null
  private readonly parts: BrowserParts
  private readonly own = new Set<string>()
  private opening = 0
  /** Cookies that every new context begins with. */
  private seed: Protocol.Network.CookieParam[] = []

  constructor(parts: BrowserParts) {
    this.parts = parts
    this.pid = parts.process.pid
    void parts.lost.then(() => parts.process.kill())
  }

  onDisconnected(listener: () => void): void {
    void this.parts.lost.then(listener)
  }

  async openTab(): Promise<DrivenTab> {
    this.opening += 1
    try {
      const { browser, spec, downloads } = this.parts
      if (spec.isolation === 'session') {
        return await this.tabIn(browser.defaultBrowserContext(), null)
      }
      const context = await browser.createBrowserContext()
      await Promise.all([downloads.admit(context.id), this.plant(context)])
      return await this.tabIn(context, context)
    } finally {
      this.opening -= 1
    }
  }

  async probe(): Promise<void> {
    this.opening += 1
    try {
      const context = await this.parts.browser.createBrowserContext()
      const page = await context.newPage()
      await page.evaluate('1')
      await context.close()
    } finally {
      this.opening -= 1
    }
  }

  async tidy(): Promise<void> {
    // A tab of ours that is just being opened can't be told from a stranger; it will be the next time.
    if (this.opening > 0) return
    const { session } = this.parts
    // Asked of the browser itself: puppeteer lists a new target only once it has set it up.
    const { targetInfos } = await session.send('Target.getTargets')
    const strangers = targetInfos.filter(
      ({ type, targetId }) => type === 'page' && !this.own.has(targetId),
    )
    await Promise.all(strangers.map(({ targetId }) => closeTarget(session, targetId)))
  }

  async close(): Promise<void> {
    const { browser, process } = this.parts
    await browser.close()
    await process.exited
    await rm(join(this.parts.spec.tmpFolder, 'downloads'), { recursive: true, force: true })
  }

  kill(): void {
    this.parts.process.kill()
  }

  private async tabIn(context: BrowserContext, owned: BrowserContext | null): Promise<DrivenTab> {
    const page = await context.newPage()
    const targetId = targetIdOf(page)
    this.own.add(targetId)
    // Opened before any code of a task can hang the page: later it would not open at all.
    const watchdog = await page.createCDPSession()
    const close = async (): Promise<void> => {
      this.own.delete(targetId)
      if (owned !== null) await owned.close()
      else if (!page.isClosed()) await page.close()
    }
    const share = async (): Promise<void> => {
      if (owned !== null) this.seed = await this.harvest(owned)
    }
    return new PuppeteerTab({ page, watchdog, downloads: this.parts.downloads, share, close })
  }

  private async harvest({ id }: BrowserContext): Promise<Protocol.Network.CookieParam[]> {
    const { session } = this.parts
    const { cookies } = await session.send('Storage.getCookies', scopeOf(id))
    return cookies
  }

  private async plant({ id }: BrowserContext): Promise<void> {
    if (this.seed.length === 0) return
    await this.parts.session.send('Storage.setCookies', { cookies: this.seed, ...scopeOf(id) })
  }
}

async function closeTarget(session: CDPSession, targetId: string): Promise<void> {
  // It may have closed by itself.
  await session.send('Target.closeTarget', { targetId }).catch(() => undefined)
}

function scopeOf(browserContextId: string | undefined): { browserContextId?: string } {
  return browserContextId === undefined ? {} : { browserContextId }
}

function targetIdOf(page: Page): string {
  const targetId: unknown = Reflect.get(page.target(), '_targetId')
  if (typeof targetId !== 'string') throw new TypeError('puppeteer has no _targetId any more.')
  return targetId
}
