/**
 * The two kinds of browser that Troupe meets: the headless shell of `@sparticuz/chromium` and a full
 * Chromium as Debian installs it. Both are named by their program, so that a test runs on the one it
 * means, whichever the machine would find first.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import { findBrowser } from '../../src/browser/finder.ts'

export type BrowserName = 'sparticuz' | 'debian'

export interface InstalledBrowser {
  readonly name: BrowserName
  readonly executablePath: string
  readonly version: string
}

export const BROWSER_NAMES: readonly BrowserName[] = ['sparticuz', 'debian']
const DEBIAN_PROGRAM = '/usr/bin/chromium'

const run = promisify(execFile)

/** Those that are on this machine, with their versions. */
export async function installedBrowsers(): Promise<InstalledBrowser[]> {
  const found: InstalledBrowser[] = []
  for (const [name, executablePath] of await installedPrograms()) {
    const { stdout } = await run(executablePath, ['--version', '--no-sandbox'])
    found.push({ name, executablePath, version: /\d+(\.\d+)+/.exec(stdout)?.[0] ?? stdout.trim() })
  }
  return found
}

/** Their programs alone: nothing is started. The one that npm brings is unpacked if need be. */
export async function installedPrograms(): Promise<[name: BrowserName, program: string][]> {
  const packaged = await packagedProgram()
  const programs: [BrowserName, string][] = packaged === null ? [] : [['sparticuz', packaged]]
  if (existsSync(DEBIAN_PROGRAM)) programs.push(['debian', DEBIAN_PROGRAM])
  return programs
}

/** The program a test runs on unless it names another: see `pinned-browser.ts`. */
export function pinnedProgram(): string {
  const program = process.env['PUPPETEER_EXECUTABLE_PATH']
  if (!program) throw new Error('no browser is installed: npm ci brings @sparticuz/chromium')
  return program
}

/** Nothing else is looked at: no variable, no cache of puppeteer, no installed browser. */
async function packagedProgram(): Promise<string | null> {
  const { HOME, XDG_CACHE_HOME, PATH } = process.env
  const env = { HOME, XDG_CACHE_HOME, PATH, PUPPETEER_CACHE_DIR: '/nonexistent' }
  try {
    return (await findBrowser({ env, places: [] })).executablePath
  } catch {
    return null
  }
}
