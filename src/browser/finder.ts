/**
 * Finds the browser, once, in the parent, before any worker starts: what the user named,
 * puppeteer's cache, an installed Chrome or Chromium, and the one the optional package brings. What
 * was named and is not there is an error, never a reason to take another. It never downloads
 * anything.
 */
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { TroupeError } from '../common/errors.ts'
import { browserFlags } from './flags.ts'
import { findPackage, PACKAGE, unpackPackage } from './package.ts'
import {
  cacheFolderOf,
  installedPlaces,
  isExecutable,
  isSnapStub,
  newestCached,
  type Surroundings,
} from './places.ts'
import { defaultRoot, ensureOwnFolder } from '../process/own-folder.ts'

const VARIABLES = ['PUPPETEER_EXECUTABLE_PATH', 'CHROME_PATH'] as const

export type BrowserSource =
  | 'executablePath'
  | (typeof VARIABLES)[number]
  | 'puppeteer cache'
  | 'installed'
  | typeof PACKAGE

export interface FoundBrowser {
  readonly executablePath: string
  /** What to launch it with, before the user's own switches. */
  readonly args: readonly string[]
  readonly source: BrowserSource
}

export interface FindBrowserOptions {
  /** The one to use; nothing else is looked for. */
  readonly executablePath?: string
  /** Default: `process.env`. */
  readonly env?: NodeJS.ProcessEnv
  /** Where the package's browser is unpacked to. Default: `troupe` in the user's cache folder. */
  readonly cacheFolder?: string
  /** The project whose packages are looked at. Default: the working folder. */
  readonly projectFolder?: string
  /** Instead of the usual places of an installed browser. */
  readonly places?: readonly string[]
}

/**
 * Finds the browser to launch.
 *
 * @throws TroupeError BROWSER_NOT_FOUND, which lists every place looked at and says what to do.
 * @example
 * const { executablePath, args, source } = await findBrowser({})
 */
export async function findBrowser(options: FindBrowserOptions = {}): Promise<FoundBrowser> {
  const env = options.env ?? process.env
  const home = env['HOME'] ?? homedir()
  const at: Surroundings = { platform: process.platform, arch: process.arch, env, home }
  const looked: string[] = []

  const named = await findNamed(options.executablePath, env)
  if (named) return named
  looked.push(`${VARIABLES.join(', ')}: not set`)

  const cached = await newestCached(at)
  if (cached) return found(cached.path, 'puppeteer cache')
  looked.push(`puppeteer's cache ${cacheFolderOf(at)}: no Chrome, no headless shell`)

  const installed = await findInstalled(options.places ?? installedPlaces(at), looked)
  if (installed) return installed

  const packaged = await findPackaged(options, at, looked)
  if (packaged) return packaged
  throw new TroupeError('BROWSER_NOT_FOUND', notFound(looked))
}

async function findNamed(
  executablePath: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<FoundBrowser | null> {
  const names: [BrowserSource, string | undefined][] = [
    ['executablePath', executablePath],
    ...VARIABLES.map((name): [BrowserSource, string | undefined] => [name, env[name]]),
  ]
  for (const [source, path] of names) {
    if (path === undefined || (path === '' && source !== 'executablePath')) continue
    if (await isExecutable(path)) return found(resolve(path), source)
    throw new TroupeError(
      'BROWSER_NOT_FOUND',
      `${source} is '${path}', and there is no program there. Correct it or leave it out`,
    )
  }
  return null
}

async function findInstalled(
  places: readonly string[],
  looked: string[],
): Promise<FoundBrowser | null> {
  for (const place of places) {
    if (!(await isExecutable(place))) {
      looked.push(`${place}: not there`)
    } else if (await isSnapStub(place)) {
      looked.push(`${place}: only a script that asks for a snap`)
    } else {
      return found(place, 'installed')
    }
  }
  return null
}

async function findPackaged(
  options: FindBrowserOptions,
  at: Surroundings,
  looked: string[],
): Promise<FoundBrowser | null> {
  if (at.platform !== 'linux' || at.arch !== 'x64') {
    looked.push(`${PACKAGE}: for Linux on x64 only`)
    return null
  }
  const brought = await findPackage(options.projectFolder ?? process.cwd())
  if (!brought) {
    looked.push(`${PACKAGE}: not installed`)
    return null
  }
  for (const folder of options.cacheFolder ? [options.cacheFolder] : cacheFolders(at)) {
    try {
      if (folder.startsWith(defaultRoot())) await ensureOwnFolder(defaultRoot())
      return found(await unpackPackage(brought, folder), PACKAGE)
    } catch (error) {
      looked.push(`${PACKAGE} ${brought.version} in ${folder}: ${firstLines(error)}`)
    }
  }
  return null
}

/** The second is for a user without a home, or with one that cannot be written to. */
function cacheFolders({ env, home }: Surroundings): string[] {
  const cache = env['XDG_CACHE_HOME']?.startsWith('/')
    ? env['XDG_CACHE_HOME']
    : join(home, '.cache')
  return [join(cache, 'troupe'), join(defaultRoot(), 'browsers')]
}

function found(executablePath: string, source: BrowserSource): FoundBrowser {
  return { executablePath, args: browserFlags(process.getuid?.() === 0), source }
}

function notFound(looked: readonly string[]): string {
  return [
    'no Chrome or Chromium was found. Do one of these:',
    '  npm i puppeteer             brings a browser (then: npx puppeteer browsers install chrome)',
    `  npm i ${PACKAGE}   brings one from npm alone (Linux x64)`,
    '  CHROME_PATH=/path/to/chrome, or the option executablePath, names the one you have',
    'Looked at:',
    ...looked.map((place) => `  ${place}`),
  ].join('\n')
}

function firstLines(error: unknown): string {
  const { message, stderr } = error as { message?: string; stderr?: string }
  return (stderr || message || String(error)).trim().split('\n').slice(0, 3).join(' ')
}
