/**
 * The production driver: Chromium over a pipe, spoken to by puppeteer. The only file that loads puppeteer at run time,
 * and only its browser half: the launching half costs 14 MB and 50 ms and is replaced by `browser-process.ts`.
 */
import { mkdir, stat } from 'node:fs/promises'
import type { Browser, ConnectOptions } from 'puppeteer-core'
import { TroupeError } from '../../common/errors.ts'
import type { BrowserDriver, BrowserSpec, DrivenBrowser } from './browser-driver.ts'
import { BrowserProcess } from './browser-process.ts'
import { downloadFolderOf } from '../downloads/download-folder.ts'
import { DownloadApi } from '../downloads/downloads.ts'
import { succeeds } from '../time-limit.ts'
import { PuppeteerBrowser } from './puppeteer-browser.ts'

/** A browser may not start on a profile that the one before still holds. */
const PREDECESSOR_LIMIT_MS = 2_000

/** Begins to load at once; a launch spawns Chromium first and waits for this meanwhile. */
const library = loadLibrary()
library.catch(() => undefined)

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

/** A driver of one worker's browsers: several workers may live in one process. */
export function createDriver(): BrowserDriver {
  const processes = new Set<BrowserProcess>()
  let profile: string | null = null
  return {
    async launch(spec) {
      profile = await requireSame(spec, profile)
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
}

/**
 * What a browser needs on the disk. A profile that is gone since the last launch is made by Chromium
 * itself, and empty: then whoever logged in there is not.
 */
async function requireSame(spec: BrowserSpec, before: string | null): Promise<string | null> {
  await mkdir(spec.tmpFolder, { recursive: true, mode: 0o700 })
  const facts = await stat(spec.profileFolder, { bigint: true }).catch(() => null)
  const now = facts === null ? null : `${facts.ino} ${facts.birthtimeNs}`
  if (before === null || before === now) return now
  const message = `the profile ${spec.profileFolder} is gone: its worker starts again with another`
  throw new TroupeError('PROFILE_FAILED', message)
}

async function connect(process: BrowserProcess, spec: BrowserSpec): Promise<DrivenBrowser> {
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
  const downloads = new DownloadApi(session, downloadFolderOf(spec))
  if (spec.isolation === 'session') await downloads.admit()
  return new PuppeteerBrowser({ browser, process, session, downloads, lost: lost.promise, spec })
}
