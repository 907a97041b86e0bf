/**
 * Where browsers usually are: puppeteer's cache and the places Chrome and Chromium are installed
 * to, for Linux, macOS and Windows. It only looks; it never starts, writes or downloads anything.
 */
import { constants } from 'node:fs'
import { access, open, readdir, stat } from 'node:fs/promises'
import { posix, win32 } from 'node:path'

/** Ubuntu's /usr/bin/chromium-browser is a script of a few hundred bytes that asks for a snap. */
const MAX_STUB_BYTES = 16 * 1024
/** Folders of one cache that are looked at. */
const MAX_BUILDS = 200

export interface Surroundings {
  readonly platform: NodeJS.Platform
  readonly arch: string
  readonly env: NodeJS.ProcessEnv
  readonly home: string
}

interface CachedBrowser {
  readonly path: string
  /** As [153, 0, 8010, 0]. */
  readonly version: readonly number[]
}

const PATH_NAMES = [
  'google-chrome-stable',
  'google-chrome',
  'chromium',
  'chromium-browser',
  'chrome',
  'chrome-headless-shell',
]

/** Puppeteer's cache folder. */
export function cacheFolderOf({ env, home, platform }: Surroundings): string {
  return env['PUPPETEER_CACHE_DIR'] || pathOf(platform).join(home, '.cache', 'puppeteer')
}

/**
 * The newest browser in puppeteer's cache; of one version the headless shell, which needs less
 * memory.
 */
export async function newestCached(at: Surroundings): Promise<CachedBrowser | null> {
  const found = [
    ...(await cachedBuilds(at, 'chrome-headless-shell')),
    ...(await cachedBuilds(at, 'chrome')),
  ]
  found.sort((a, b) => compareVersions(b.version, a.version))
  for (const browser of found) if (await isExecutable(browser.path)) return browser
  return null
}

/**
 * Where an installed browser may be, best first. The snap is last: it cannot see profiles in the
 * host's /tmp.
 */
export function installedPlaces({ platform, env, home }: Surroundings): string[] {
  const { join } = pathOf(platform)
  if (platform === 'darwin') {
    return ['/Applications', join(home, 'Applications')].flatMap((folder) => [
      join(folder, 'Google Chrome.app/Contents/MacOS/Google Chrome'),
      join(folder, 'Chromium.app/Contents/MacOS/Chromium'),
    ])
  }
  if (platform === 'win32') {
    return ['PROGRAMFILES', 'PROGRAMFILES(X86)', 'LOCALAPPDATA'].flatMap((name) => {
      const folder = env[name]
      if (!folder) return []
      return [
        join(folder, 'Google', 'Chrome', 'Application', 'chrome.exe'),
        join(folder, 'Chromium', 'Application', 'chrome.exe'),
      ]
    })
  }
  const folders = (env['PATH'] ?? '').split(':').filter((folder) => folder.startsWith('/'))
  const onPath = PATH_NAMES.flatMap((name) => folders.map((folder) => join(folder, name)))
  return [...new Set([...onPath, '/opt/google/chrome/chrome', '/usr/lib/chromium/chromium'])]
    .filter((place) => !place.startsWith('/snap/'))
    .concat('/snap/bin/chromium')
}

/** True for a file one may run. */
export async function isExecutable(path: string): Promise<boolean> {
  try {
    const facts = await stat(path)
    if (!facts.isFile()) return false
    await access(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** True for a script that stands in for a browser and would only ask for a snap. */
export async function isSnapStub(path: string): Promise<boolean> {
  const facts = await stat(path)
  if (facts.size > MAX_STUB_BYTES) return false
  const file = await open(path)
  try {
    const text = (await file.readFile()).toString('latin1')
    return text.startsWith('#!') && text.includes('/snap/bin/')
  } finally {
    await file.close()
  }
}

/** Numeric, part by part; negative when `a` is older. */
export function compareVersions(a: readonly number[], b: readonly number[]): number {
  for (let part = 0; part < Math.max(a.length, b.length); part++) {
    const difference = (a[part] ?? 0) - (b[part] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** `<cache>/<kind>/<platform>-<version>/<kind>-<platform name>/<program>` */
async function cachedBuilds(
  at: Surroundings,
  kind: 'chrome' | 'chrome-headless-shell',
): Promise<CachedBrowser[]> {
  const { join } = pathOf(at.platform)
  const folder = join(cacheFolderOf(at), kind)
  const builds: CachedBrowser[] = []
  for (const name of (await namesIn(folder)).slice(0, MAX_BUILDS)) {
    const match = /^([a-z0-9_]+)-(\d+(?:\.\d+)*)$/.exec(name)
    if (!match || !cachePlatforms(at).includes(match[1] as string)) continue
    const version = (match[2] as string).split('.').map(Number)
    for (const inner of await namesIn(join(folder, name))) {
      builds.push({ path: join(folder, name, inner, programOf(at.platform, kind)), version })
    }
  }
  return builds
}

function cachePlatforms({ platform, arch }: Surroundings): string[] {
  if (platform === 'darwin') return arch === 'arm64' ? ['mac_arm', 'mac'] : ['mac']
  if (platform === 'win32') return arch === 'ia32' ? ['win32'] : ['win64', 'win32']
  return arch === 'arm64' ? ['linux_arm'] : ['linux']
}

function programOf(platform: NodeJS.Platform, kind: 'chrome' | 'chrome-headless-shell'): string {
  if (platform === 'win32') return `${kind}.exe`
  if (platform === 'linux' || kind === 'chrome-headless-shell') return kind
  return 'Google Chrome for Testing.app/Contents/MacOS/Google Chrome for Testing'
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch {
    return []
  }
}

function pathOf(platform: NodeJS.Platform) {
  return platform === 'win32' ? win32 : posix
}
