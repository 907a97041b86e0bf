/**
 * The browser in the optional npm package `@sparticuz/chromium`. The package unpacks under one
 * fixed name in the temporary folder; two processes at once can run a half-written file. So a child
 * process unpacks it into a draft of ours, under a lock, and a rename puts it in place whole, once
 * for each version. It is never imported into the pool's process.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import {
  chmod,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { waitForLock } from '../process/file-lock.ts'
import { openMarked, removeMarked, writeMark } from '../process/mark.ts'
import { removeFolder } from '../process/own-folder.ts'

export const PACKAGE = '@sparticuz/chromium'
const UNPACK_TIMEOUT_MS = 120_000
const VERSION_TIMEOUT_MS = 20_000
const PROGRAM = 'browser'
/** What the program runs. */
const BINARY = 'chromium'
const NAME = 'sparticuz-chromium-'
const DRAFT = /\.[0-9a-f]{8}\.draft$/
const KIND = 'browser'
/** A version of 211 MB that nobody has used for this long goes when the next one comes. */
const UNUSED_LIMIT_MS = 30 * 24 * 3_600_000
/** A draft this old has lost its maker. */
const DRAFT_LIMIT_MS = 3_600_000

const run = promisify(execFile)

interface BrowserPackage {
  /** The module to import. */
  readonly entry: string
  readonly version: string
}

/** The package as Troupe sees it, or as the user's project does; null when neither has it. */
export async function findPackage(projectFolder: string): Promise<BrowserPackage | null> {
  for (const from of [import.meta.url, pathToFileURL(join(projectFolder, 'package.json')).href]) {
    let entry: string
    try {
      entry = createRequire(from).resolve(PACKAGE)
    } catch {
      continue
    }
    return { entry, version: await versionOf(entry) }
  }
  return null
}

/**
 * The program of the package, unpacked under `cacheFolder` if it is not there yet.
 *
 * @throws Error when it cannot be unpacked, or does not run on this machine.
 */
export async function unpackPackage(found: BrowserPackage, cacheFolder: string): Promise<string> {
  await mkdir(cacheFolder, { recursive: true, mode: 0o700 })
  const folder = join(cacheFolder, `${NAME}${found.version}-${process.arch}`)
  const program = join(folder, PROGRAM)
  const unpacked = () => isUnpacked(program)
  if (!unpacked()) {
    const lock = await waitForLock(`${folder}.lock`, UNPACK_TIMEOUT_MS, unpacked)
    try {
      if (!unpacked()) await unpackOnce(found, folder, unpacked)
      await tidy(cacheFolder)
    } finally {
      await lock?.release()
    }
  }
  await assertTrusted(folder, program)
  const now = new Date()
  // The folder may be somebody else's, whom we trust: then its age is theirs to keep.
  await utimes(folder, now, now).catch(() => undefined)
  return program
}

/** False when it was never unpacked, or a part of it has been taken away. */
export function isUnpacked(program: string): boolean {
  return existsSync(program) && existsSync(join(dirname(program), BINARY))
}

async function unpackOnce(found: BrowserPackage, folder: string, there: () => boolean) {
  const draft = `${folder}.${randomBytes(4).toString('hex')}.draft`
  try {
    await unpackInto(found, draft, folder)
    await removeRest(folder)
    await rename(draft, folder)
  } catch (error) {
    // Somebody who lost patience with the lock was first: what is there is as good.
    if (!there()) throw error
  } finally {
    await removeFolder(draft)
  }
}

/** What is there is not whole: else nobody had unpacked it again. */
async function removeRest(folder: string): Promise<void> {
  const marked = await openMarked(folder, KIND)
  if (marked === null) return
  try {
    if (!isUnpacked(join(folder, PROGRAM))) await removeMarked(folder, marked)
  } finally {
    await marked.close()
  }
}

/** A program that another user could have put or changed there is not run. */
async function assertTrusted(folder: string, program: string): Promise<void> {
  for (const path of [folder, program]) {
    const facts = await lstat(path)
    const trusted = facts.uid === 0 || facts.uid === process.getuid?.()
    if (facts.isSymbolicLink() || !trusted || (facts.mode & 0o022) !== 0) {
      throw new Error(`${path} could have been changed by another user: remove it`)
    }
  }
}

/** Removes versions long unused, and drafts whose maker died: of Troupe's own, by their mark. */
async function tidy(cacheFolder: string): Promise<void> {
  for (const name of await readdir(cacheFolder)) {
    if (!name.startsWith(NAME)) continue
    const path = join(cacheFolder, name)
    const marked = await openMarked(path, KIND, name.replace(DRAFT, ''))
    if (marked === null) continue
    try {
      const facts = await stat(marked.base)
      const limitMs = DRAFT.test(name) ? DRAFT_LIMIT_MS : UNUSED_LIMIT_MS
      if (Date.now() - facts.mtimeMs > limitMs) await removeMarked(path, marked)
    } finally {
      await marked.close()
    }
  }
}

async function unpackInto(found: BrowserPackage, draft: string, folder: string): Promise<void> {
  await mkdir(draft, { mode: 0o700 })
  await writeMark(draft, KIND, basename(folder))
  const script =
    `import(${JSON.stringify(pathToFileURL(found.entry).href)})` +
    `.then((module) => module.default.executablePath())`
  await run(process.execPath, ['--input-type=module', '-e', script], {
    // Under Lambda's name the package also unpacks the libraries that a slim system lacks.
    env: {
      PATH: process.env['PATH'],
      HOME: draft,
      TMPDIR: draft,
      AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    },
    timeout: UNPACK_TIMEOUT_MS,
    killSignal: 'SIGKILL',
  })
  await chmod(join(draft, BINARY), 0o700)
  await writeFile(join(draft, 'fonts.conf'), fontSettings(folder))
  await writeFile(join(draft, PROGRAM), LAUNCHER, { mode: 0o700 })
  await run(join(draft, PROGRAM), ['--version'], {
    timeout: VERSION_TIMEOUT_MS,
    killSignal: 'SIGKILL',
  })
}

/**
 * The machine's own libraries and fonts come first; the package's stand in for what is missing.
 * `exec` keeps the pid and the open pipes.
 */
const LAUNCHER = `#!/bin/sh
here=\${0%/*}
own=/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu:/lib64:/usr/lib64:/lib:/usr/lib
export LD_LIBRARY_PATH="\${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$own:$here/al2023/lib"
[ -e /etc/fonts/fonts.conf ] || export FONTCONFIG_FILE="$here/fonts.conf"
exec "$here/chromium" "$@"
`

function fontSettings(folder: string): string {
  return `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${escapeXml(join(folder, 'fonts'))}</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>${escapeXml(join(folder, 'fonts-cache'))}</cachedir>
</fontconfig>
`
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

async function versionOf(entry: string): Promise<string> {
  for (let folder = dirname(entry); folder !== dirname(folder); folder = dirname(folder)) {
    const text = await readFile(join(folder, 'package.json'), 'utf8').catch(() => null)
    if (text === null) continue
    const facts: unknown = JSON.parse(text)
    const { name, version } = facts as { name?: unknown; version?: unknown }
    if (name === PACKAGE && typeof version === 'string' && /^[\w.+-]+$/.test(version))
      return version
  }
  throw new Error(`${PACKAGE} has no package.json with a version`)
}
