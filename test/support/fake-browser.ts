/**
 * A scripted browser for process tests: the driver port, with a real process as "Chromium", so that there is a pid to
 * kill and to count, and with tabs that do what they are told. Never for production: it shows no page.
 *
 * Use it by URL: `driver: fakeBrowserUrl({ launch: 'hang' })`. What the script does not name works at once.
 * A handler steers its tab through the page it gets: `page.fake.crash()`, `.hang()`, `.killBrowser()`.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'puppeteer-core'
import type {
  BrowserDriver,
  DrivenBrowser,
  DrivenTab,
} from '../../src/child/browser/browser-driver.ts'
import type { Artifact, DownloadOptions } from '../../src/task/context.ts'
import type { LaunchSpec } from '../../src/process/ipc/protocol.ts'

/** What the fake does otherwise than well. Times in ms. */
export interface FakeScript {
  /** `missing`: ENOENT. `denied`: EACCES. `fail`: any other error. `hang`: never answers, though its process runs. */
  readonly launch?: 'missing' | 'denied' | 'fail' | 'hang'
  readonly launchMs?: number
  /** The first launch works; so many after it fail. */
  readonly relaunchFailures?: number
  readonly close?: 'hang' | 'fail'
  readonly closeMs?: number
  readonly openTab?: 'fail' | 'hang'
  readonly reset?: 'fail' | 'hang'
  readonly resetMs?: number
  readonly interrupt?: 'fail' | 'hang'
  readonly closeTab?: 'fail' | 'hang'
  readonly probe?: 'fail' | 'hang'
}

/** The driver's URL for `LaunchSpec.driver`, with its script. */
export function fakeBrowserUrl(script: FakeScript = {}): string {
  const url = new URL(import.meta.url)
  url.search = new URLSearchParams({ script: JSON.stringify(script) }).toString()
  return url.href
}

/** What a handler can do to its fake tab. */
export interface FakeControls {
  /** A number for each tab ever opened in this process, from 1. */
  readonly tabId: number
  /** A number for each browser launched in this process, from 1. */
  readonly browserId: number
  readonly browserPid: number
  /** Resets this tab has been through. */
  readonly resets: number
  /** The tab's renderer dies. Calls under way never settle, as with a real one. */
  crash(): void
  /** SIGKILL to the browser's process. */
  killBrowser(): void
  /** Resolves never; rejects when the tab is interrupted or closed. */
  hang(): Promise<never>
  /** Kept by the browser for all its tabs, as cookies are; empty again after a relaunch. */
  readonly cookies: Map<string, string>
}

const script = scriptOf(import.meta.url)
const children = new Set<ChildProcess>()
let launches = 0
let tabs = 0

export const driver: BrowserDriver = {
  async launch(spec) {
    launches += 1
    if (script.launch === 'missing') throw coded('ENOENT', `spawn ${spec.executablePath} ENOENT`)
    if (script.launch === 'denied') throw coded('EACCES', `spawn ${spec.executablePath} EACCES`)
    if (script.launch === 'fail') throw new Error('The fake browser was told to fail.')
    const browser = new FakeBrowser(spec, launches)
    if (script.launch === 'hang') return never()
    await pause(script.launchMs)
    if (launches > 1 && launches <= 1 + (script.relaunchFailures ?? 0)) {
      browser.kill()
      throw new Error('The fake browser was told to fail when started anew.')
    }
    return browser
  },
  killAll() {
    for (const child of children) killGroup(child)
  },
}

class FakeBrowser implements DrivenBrowser {
  readonly pid: number | null
  readonly browserId: number
  readonly cookies = new Map<string, string>()
  readonly #child: ChildProcess
  readonly #gone: Promise<void>

  constructor(spec: LaunchSpec, browserId: number) {
    this.browserId = browserId
    // Reads until its parent is gone, as Chromium does with its pipe; its command line names the profile.
    const code = "process.stdin.resume().on('close', () => process.exit())"
    this.#child = spawn(
      process.execPath,
      ['-e', code, '--', `--user-data-dir=${spec.profileFolder}`],
      {
        detached: true,
        stdio: ['pipe', 'ignore', 'ignore'],
        env: { ...process.env, TMPDIR: spec.tmpFolder },
      },
    )
    children.add(this.#child)
    this.pid = this.#child.pid ?? null
    this.#gone = new Promise((resolve) => {
      this.#child.once('exit', () => {
        children.delete(this.#child)
        resolve()
      })
    })
  }

  onDisconnected(listener: () => void): void {
    void this.#gone.then(listener)
  }

  async openTab(): Promise<DrivenTab> {
    if (script.openTab !== undefined && tabs > 0) await misbehave(script.openTab)
    tabs += 1
    return new FakeTab(this, tabs)
  }

  async probe(): Promise<void> {
    await misbehave(script.probe)
  }

  async close(): Promise<void> {
    await misbehave(script.close)
    await pause(script.closeMs)
    this.#child.stdin?.end()
    await this.#gone
  }

  kill(): void {
    killGroup(this.#child)
  }
}

class FakeTab implements DrivenTab {
  readonly page: Page
  #url = 'about:blank'
  #resets = 0
  #crashed: (() => void) | null = null
  #hanging: ((error: Error) => void)[] = []
  readonly #controls: FakeControls

  constructor(browser: FakeBrowser, tabId: number) {
    const countResets = (): number => this.#resets
    this.#controls = {
      tabId,
      browserId: browser.browserId,
      browserPid: browser.pid ?? 0,
      cookies: browser.cookies,
      get resets() {
        return countResets()
      },
      crash: () => this.#crashed?.(),
      killBrowser: () => browser.kill(),
      hang: () => new Promise<never>((_resolve, reject) => this.#hanging.push(reject)),
    }
    this.page = this.#fakePage() as unknown as Page
  }

  onCrashed(listener: () => void): void {
    this.#crashed = listener
  }

  async reset(): Promise<void> {
    await misbehave(script.reset)
    await pause(script.resetMs)
    this.#resets += 1
    this.#url = 'about:blank'
  }

  async interrupt(): Promise<void> {
    await misbehave(script.interrupt)
    this.#release('Execution was terminated')
  }

  async close(): Promise<void> {
    await misbehave(script.closeTab)
    this.#release('target closed')
  }

  async download(
    source: string | (() => Promise<unknown>),
    folder: string,
    options: DownloadOptions,
  ): Promise<Artifact> {
    const content = typeof source === 'string' ? source : String(await source())
    const path = join(folder, 'download')
    await writeFile(path, content)
    const sha256 = createHash('sha256').update(content).digest('hex')
    const name = options.name ?? content.split('/').at(-1) ?? 'download'
    return { name, path, bytes: Buffer.byteLength(content), sha256 }
  }

  async downloadAll(
    action: () => Promise<unknown>,
    folder: string,
    options: DownloadOptions,
  ): Promise<Artifact[]> {
    return [await this.download(action, folder, options)]
  }

  #release(message: string): void {
    for (const reject of this.#hanging.splice(0)) reject(new Error(message))
  }

  /** `fake` lets a task file reach the controls without importing this module. */
  #fakePage(): object {
    return {
      fake: this.#controls,
      goto: async (url: string) => {
        this.#url = url
        return null
      },
      url: () => this.#url,
      title: async () => `title of ${this.#url}`,
      evaluate: async (run: unknown, ...args: unknown[]) =>
        typeof run === 'function' ? run(...args) : run,
      isClosed: () => false,
    }
  }
}

function scriptOf(url: string): FakeScript {
  const text = new URL(url).searchParams.get('script')
  return text === null ? {} : (JSON.parse(text) as FakeScript)
}

async function misbehave(how: 'fail' | 'hang' | undefined): Promise<void> {
  if (how === 'hang') await never()
  if (how === 'fail') throw new Error('The fake browser was told to fail.')
}

function never(): Promise<never> {
  return new Promise(() => undefined)
}

async function pause(ms = 0): Promise<void> {
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms))
}

function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  } catch {
    // Gone already.
  }
}

function coded(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}
