/**
 * Where the browser comes from: the order, each place on a disk of our own making, and the real
 * package's unpacking.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isTroupeError } from '../../src/common/errors.ts'
import { type FindBrowserOptions, findBrowser } from '../../src/browser/finder.ts'
import { writeMark } from '../../src/process/mark.ts'
import {
  compareVersions,
  installedPlaces,
  newestCached,
  type Surroundings,
} from '../../src/browser/places.ts'

const FINDER = new URL('../../src/browser/finder.ts', import.meta.url).href
const CACHE_OF_PUPPETEER = '.cache/puppeteer'

let home: string
let options: FindBrowserOptions

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'finder-'))
  const env = { HOME: home, PATH: join(home, 'bin') }
  options = { env, cacheFolder: join(home, 'cache'), places: [] }
})

afterEach(async () => {
  await rm(home, { recursive: true, force: true })
})

async function program(...path: string[]): Promise<string> {
  const file = join(home, ...path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, '#!/bin/sh\nexit 0\n', { mode: 0o755 })
  return file
}

function withEnv(extra: NodeJS.ProcessEnv): FindBrowserOptions {
  return { ...options, env: { ...options.env, ...extra } }
}

async function failureOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(isTroupeError(error, 'BROWSER_NOT_FOUND')).toBe(true)
  return (error as Error).message
}

describe('the order', () => {
  test('is option, two variables, cache, installed', async () => {
    const installed = await program('bin', 'chromium')
    const places = [join(home, 'bin', 'google-chrome'), installed]
    expect(await findBrowser({ ...options, places })).toMatchObject({
      executablePath: installed,
      source: 'installed',
    })

    const cached = await program(CACHE_OF_PUPPETEER, 'chrome/linux-140.0.1.2/chrome-linux64/chrome')
    expect(await findBrowser({ ...options, places })).toMatchObject({
      executablePath: cached,
      source: 'puppeteer cache',
    })

    const [second, first, named] = [await program('b'), await program('a'), await program('c')]
    const env = { ...options.env, CHROME_PATH: second }
    expect(await findBrowser({ ...options, places, env })).toMatchObject({
      executablePath: second,
      source: 'CHROME_PATH',
    })
    const both = { ...env, PUPPETEER_EXECUTABLE_PATH: first }
    expect(await findBrowser({ ...options, places, env: both })).toMatchObject({
      executablePath: first,
      source: 'PUPPETEER_EXECUTABLE_PATH',
    })
    expect(await findBrowser({ ...options, env: both, executablePath: named })).toMatchObject({
      executablePath: named,
      source: 'executablePath',
    })
  })

  test('never falls through from what was named and is not there', async () => {
    const there = await program('there')
    const gone = join(home, 'gone')
    const env = { CHROME_PATH: there }
    const messages = [
      await failureOf(findBrowser({ ...withEnv(env), executablePath: gone })),
      await failureOf(findBrowser({ ...withEnv(env), executablePath: '' })),
      await failureOf(findBrowser(withEnv({ ...env, PUPPETEER_EXECUTABLE_PATH: gone }))),
      await failureOf(findBrowser(withEnv({ CHROME_PATH: home }))),
    ]
    expect(messages).toEqual([
      `executablePath is '${gone}', and there is no program there. Correct it or leave it out`,
      "executablePath is '', and there is no program there. Correct it or leave it out",
      expect.stringContaining(`PUPPETEER_EXECUTABLE_PATH is '${gone}'`),
      expect.stringContaining(`CHROME_PATH is '${home}'`),
    ])
  })

  test('passes over what cannot be run, and a stub that asks for a snap', async () => {
    const stub = await program('bin', 'chromium-browser')
    await writeFile(stub, '#!/bin/sh\nexec /snap/bin/chromium "$@"\n')
    const flat = await program('bin', 'chrome')
    await chmod(flat, 0o644)
    const good = await program('bin', 'chromium')
    const found = await findBrowser({ ...options, places: [stub, flat, good] })
    expect(found.executablePath).toBe(good)
  })

  test('the sandbox goes for root only, and the network is left alone', async () => {
    const executablePath = await program('chrome')
    const { args } = await findBrowser({ ...options, executablePath })
    expect(args.includes('--no-sandbox')).toBe(process.getuid?.() === 0)
    expect(args).toEqual(
      expect.arrayContaining([
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--disable-quic',
        '--password-store=basic',
      ]),
    )
    for (const name of ['--disable-features', '--enable-features']) {
      expect(args.filter((arg) => arg.startsWith(`${name}=`)).length).toBe(1)
    }
  })
})

describe("puppeteer's cache", () => {
  const at = (extra: Partial<Surroundings> = {}): Surroundings => ({
    platform: 'linux',
    arch: 'x64',
    env: {},
    home,
    ...extra,
  })

  test('gives the newest, and of one version the headless shell', async () => {
    const cache = CACHE_OF_PUPPETEER
    await program(cache, 'chrome/linux-9.9.9.9/chrome-linux64/chrome')
    await program(cache, 'chrome/mac_arm-999.0.0.0/chrome-mac-arm64/chrome')
    const newer = await program(cache, 'chrome/linux-140.0.10.0/chrome-linux64/chrome')
    await mkdir(join(home, cache, 'chrome/linux-200.0.0.0/chrome-linux64'), { recursive: true })
    expect((await newestCached(at()))?.path).toBe(newer)

    const inside = 'linux-140.0.10.0/chrome-headless-shell-linux64/chrome-headless-shell'
    const shell = await program(cache, 'chrome-headless-shell', inside)
    expect((await newestCached(at()))?.path).toBe(shell)
    expect(await newestCached(at({ env: { PUPPETEER_CACHE_DIR: join(home, 'other') } }))).toBe(null)
  })

  test('is read on macOS, too', async () => {
    const mac = await program(
      CACHE_OF_PUPPETEER,
      'chrome/mac_arm-140.0.0.0/chrome-mac-arm64',
      'Google Chrome for Testing.app/Contents/MacOS/Google Chrome for Testing',
    )
    expect((await newestCached(at({ platform: 'darwin', arch: 'arm64' })))?.path).toBe(mac)
    expect(await newestCached(at({ platform: 'darwin', arch: 'x64' }))).toBe(null)
  })

  test('compares versions by number', () => {
    expect(compareVersions([9, 9], [10])).toBeLessThan(0)
    expect(compareVersions([140, 0, 10], [140, 0, 9, 5])).toBeGreaterThan(0)
    expect(compareVersions([1, 0], [1])).toBe(0)
  })
})

test('the places of an installed browser, by system', () => {
  const linux = installedPlaces({
    platform: 'linux',
    arch: 'x64',
    home,
    env: { PATH: '/snap/bin:/usr/bin:relative' },
  })
  expect(linux.slice(0, 2)).toEqual(['/usr/bin/google-chrome-stable', '/usr/bin/google-chrome'])
  expect(linux.at(-1)).toBe('/snap/bin/chromium')
  expect(linux.every((place) => place.startsWith('/'))).toBe(true)
  expect(
    installedPlaces({ platform: 'darwin', arch: 'arm64', home: '/Users/ada', env: {} }),
  ).toEqual([
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
    '/Users/ada/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Users/ada/Applications/Chromium.app/Contents/MacOS/Chromium',
  ])
  const env = { PROGRAMFILES: 'C:\\Program Files' }
  expect(installedPlaces({ platform: 'win32', arch: 'x64', home: 'C:\\Users\\ada', env })).toEqual([
    'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
    'C:\\Program Files\\Chromium\\Application\\chrome.exe',
  ])
})

describe('none found', () => {
  test.skipIf(process.platform !== 'linux' || process.arch !== 'x64')(
    'lists every place and says what to do, when the package does not unpack either',
    async () => {
      // A file where the cache folder should be.
      const cacheFolder = await program('not-a-folder')
      const places = [join(home, 'usr/bin/chromium')]
      const message = await failureOf(findBrowser({ ...options, cacheFolder, places }))
      for (const part of [
        'npm i puppeteer',
        'npm i @sparticuz/chromium',
        'CHROME_PATH',
        'executablePath',
        'PUPPETEER_EXECUTABLE_PATH',
        join(home, CACHE_OF_PUPPETEER),
        `${places[0]}: not there`,
        `in ${cacheFolder}: EEXIST`,
      ]) {
        expect(message).toContain(part)
      }
    },
  )
})

describe.skipIf(process.platform !== 'linux' || process.arch !== 'x64')('the package', () => {
  test('is unpacked once and whole by processes that start together', async () => {
    const cacheFolder = join(home, 'cache')
    const source = `
      const { findBrowser } = await import(${JSON.stringify(FINDER)})
      const { spawnSync } = await import('node:child_process')
      const { executablePath, source } = await findBrowser(${JSON.stringify(options)})
      const { status, stdout } = spawnSync(executablePath, ['--version'], { encoding: 'utf8' })
      process.stdout.write(JSON.stringify({ executablePath, source, status, stdout }))`
    const stale = join(cacheFolder, 'sparticuz-chromium-1.0.0-x64')
    // Of the same name, as old, and not Troupe's.
    const theirs = join(cacheFolder, 'sparticuz-chromium-notes')
    for (const path of [stale, theirs]) await mkdir(path, { recursive: true, mode: 0o700 })
    await writeMark(stale, 'browser', 'sparticuz-chromium-1.0.0-x64')
    for (const path of [stale, theirs]) await utimes(path, new Date(0), new Date(0))
    const runs = [1, 2].map(async () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const [output] = await Promise.all([text(child.stdout), once(child, 'exit')])
      return JSON.parse(output)
    })
    const [one, two] = await Promise.all(runs)
    expect(one).toEqual(two)
    expect(one).toMatchObject({ source: '@sparticuz/chromium', status: 0 })
    expect(one.stdout).toMatch(/^Chromium \d+\./)

    const folder = dirname(one.executablePath)
    expect(await readdir(cacheFolder)).toEqual([
      folder.slice(cacheFolder.length + 1),
      'sparticuz-chromium-notes',
    ])
    const before = await stat(join(folder, 'chromium'))
    const again = await findBrowser(options)
    expect(again.executablePath).toBe(one.executablePath)
    expect((await stat(join(folder, 'chromium'))).ino).toBe(before.ino)

    // As a cleaner of temporary folders takes single files.
    await rm(join(folder, 'chromium'))
    expect((await findBrowser(options)).executablePath).toBe(one.executablePath)
    expect((await stat(join(folder, 'chromium'))).size).toBe(before.size)

    // Anybody could have put something into a folder that anybody can write to.
    await chmod(folder, 0o777)
    expect(await failureOf(findBrowser(options))).toContain('changed by another user')
  }, 60_000)

  test('runs with its own libraries and fonts where the system has none', async () => {
    const { executablePath } = await findBrowser({ places: [], env: { HOME: process.env['HOME'] } })
    const folder = dirname(executablePath)
    expect(await readdir(join(folder, 'al2023', 'lib'))).toContain('libnss3.so')
    const child = spawn(executablePath, ['--version'], {
      env: { LD_LIBRARY_PATH: join(folder, 'al2023', 'lib') },
    })
    expect(await text(child.stdout)).toMatch(/^Chromium/)
  }, 60_000)
})
