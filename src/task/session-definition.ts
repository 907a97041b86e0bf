/**
 * What a session is made of, as a task file defines it: how it logs in, what its browser begins
 * with, and how that browser reaches the net. Types only; `child/session-file.ts` checks them.
 */
import type { Page } from 'puppeteer-core'

/** The session of tasks that name none. */
export const DEFAULT_SESSION = 'default'

/** What a worker remembers between its tasks: its session. */
export interface SessionFacts {
  /** The session's name; `default` when the task named none. */
  readonly name: string
  /** How often this worker has logged in. */
  readonly logins: number
  /** Kept for as long as the worker process lives. For what is cheap to make again. */
  readonly store: Map<string, unknown>
  /**
   * Says that the login is gone: log in again, then run this task again without costing an attempt.
   * Throws.
   */
  expired(reason?: string): never
}

export interface SessionContext {
  readonly page: Page
  readonly session: SessionFacts
  readonly signal: AbortSignal
  log(message: string, fields?: Readonly<Record<string, unknown>>): void
}

export interface StoredCookie {
  readonly name: string
  readonly value: string
  /** As `portal.example`, or `.portal.example` for its subdomains too. */
  readonly domain: string
  /** Default `/`. */
  readonly path?: string
  /** Seconds since 1970. Without it, or -1: until the browser ends. */
  readonly expires?: number
  readonly httpOnly?: boolean
  readonly secure?: boolean
  readonly sameSite?: 'Strict' | 'Lax' | 'None'
}

/** Cookies and localStorage, in the format that Playwright writes too. */
export interface StorageState {
  readonly cookies?: readonly StoredCookie[]
  readonly origins?: readonly {
    /** As `https://portal.example`. */
    readonly origin: string
    readonly localStorage: readonly { readonly name: string; readonly value: string }[]
  }[]
}

export interface ProxySettings {
  /** As `http://proxy.example:3128` or `socks5://10.0.0.1:1080`. */
  readonly server: string
  /**
   * Hosts that are reached directly, as `*.intern.example,10.0.0.0/8`. Chromium never sends
   * loopback through a proxy unless this holds `<-loopback>`.
   */
  readonly bypass?: string
  readonly username?: string
  readonly password?: string
}

/**
 * A session: what the browser of a worker that holds it begins with. Part of `defineTasks`' second
 * argument. Relative paths are relative to the task file.
 *
 * @example
 * const buyer: SessionDefinition = {
 *   login: async ({ page }) => { await page.goto('https://portal.example/login') },
 *   check: async ({ page }) => (await page.goto('https://portal.example/me'))?.status() === 200,
 *   checkEvery: 300_000,
 *   proxy: { server: 'http://proxy.example:3128' },
 *   headers: { 'x-team': 'purchasing' },
 * }
 */
export interface SessionDefinition {
  /**
   * Runs once at a worker's start and whenever the login is gone; never twice at a time in a
   * worker.
   */
  login?(context: SessionContext): Promise<void>
  /**
   * True while the session is logged in. Runs before a task when the last check is older than
   * `checkEvery`.
   */
  check?(context: SessionContext): Promise<boolean>
  /** ms between checks; 0: before every task. Default 60,000. */
  readonly checkEvery?: number
  /** Closed profile folder of which each worker gets a clone. Default: the pool's. */
  readonly baseProfile?: string | URL
  /** What the browser begins with; a path names a JSON file, read at each start of a worker. */
  readonly storageState?: StorageState | string | URL
  /** Default: none. A string is its `server`. */
  readonly proxy?: ProxySettings | string
  /** Further command line switches, after the pool's. */
  readonly args?: readonly string[]
  /** Sent with every request of a task's tab. */
  readonly headers?: Readonly<Record<string, string>>
  /** CSS pixels of a tab. Default: 800 × 600. */
  readonly viewport?: { readonly width: number; readonly height: number }
  /** Default: the browser's own. */
  readonly userAgent?: string
  /** Language of requests and of `navigator.language`, as `de-DE`. */
  readonly locale?: string
  /** Default: the pool's `browser.isolation`. */
  readonly isolation?: 'session' | 'context'
}
