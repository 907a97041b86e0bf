/**
 * Profiles on a real disk: sealed, checked, cloned, owned and deleted; and once with a real
 * browser's cookie.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import {
  appendFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { hostname, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import puppeteer from 'puppeteer-core'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { isTroupeError } from '../../src/common/errors.ts'
import { cloneProfile } from '../../src/profile/clone.ts'
import { checkProfile, sealProfile } from '../../src/profile/seal.ts'
import { openProfileStore } from '../../src/profile/store.ts'
import { findBrowser } from '../../src/browser/finder.ts'
import { lockHolder, tryLock } from '../../src/process/file-lock.ts'

let folder: string
let base: string
let target: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'profile-'))
  base = join(folder, 'login')
  target = join(folder, 'clone')
  await makeProfile(base)
})

afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function put(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, content)
}

/**
 * What a browser leaves behind that was logged in somewhere: things to keep, and things that must
 * not come along.
 */
async function makeProfile(profile: string): Promise<void> {
  await put(join(profile, 'Local State'), '{"os_crypt":{}}')
  await put(join(profile, 'Default/Preferences'), '{"profile":{"name":"Ada"}}')
  await put(join(profile, 'Default/Local Storage/leveldb/000003.log'), 'token=1')
  await put(join(profile, 'Default/Local Storage/leveldb/CURRENT'), 'MANIFEST-000001\n')
  await put(join(profile, 'Default/Local Storage/leveldb/LOCK'), '')
  await put(join(profile, 'Default/IndexedDB/https_portal.example_0/000001.log'), 'rows')
  await put(join(profile, 'Default/Cache/Cache_Data/data_0'), 'cache')
  await put(join(profile, 'Default/History'), 'history')
  const database = new DatabaseSync(join(profile, 'Default/Cookies'))
  database.exec('CREATE TABLE cookies(name TEXT, value TEXT)')
  database.exec(`INSERT INTO cookies VALUES ${"('name', 'some value'),".repeat(500)} ('a', 'b')`)
  database.close()
  await symlink('gone-host-123', join(profile, 'SingletonLock'))
  await symlink('/nowhere', join(profile, 'SingletonSocket'))
}

async function failureOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(isTroupeError(error, 'PROFILE_FAILED')).toBe(true)
  return (error as Error).message
}

async function kinds(profile: string): Promise<string[]> {
  const { ok, problems } = await checkProfile(profile)
  expect(ok).toBe(problems.length === 0)
  return problems.map(({ kind, path }) => `${kind} ${path}`)
}

describe('a seal', () => {
  test('holds while nothing has changed', async () => {
    const seal = await sealProfile(base)
    expect(seal.files.map(({ path }) => path)).toEqual([
      'Default/Cookies',
      'Default/IndexedDB/https_portal.example_0/000001.log',
      'Default/Local Storage/leveldb/000003.log',
      'Default/Local Storage/leveldb/CURRENT',
      'Default/Preferences',
      'Local State',
    ])
    expect(await checkProfile(base)).toMatchObject({ sealed: true, ok: true, files: 6 })
    // What is not kept may change.
    await appendFile(join(base, 'Default/History'), 'more')
    expect((await checkProfile(base)).ok).toBe(true)
    await sealProfile(base)
    expect((await readdir(base)).filter((name) => name.startsWith('troupe'))).toEqual([
      'troupe-seal.json',
    ])
  })

  test('tells what was changed, lost and added, even where no content check can', async () => {
    await sealProfile(base)
    await truncate(join(base, 'Default/Local Storage/leveldb/000003.log'), 3)
    const current = join(base, 'Default/Local Storage/leveldb/CURRENT')
    await writeFile(current, (await readFile(current)).fill('x'))
    await rm(join(base, 'Default/IndexedDB'), { recursive: true })
    await put(join(base, 'Default/Service Worker/Database/000001.log'), 'new')
    expect((await kinds(base)).sort()).toEqual([
      'added Default/Service Worker/Database/000001.log',
      'changed Default/Local Storage/leveldb/000003.log',
      'changed Default/Local Storage/leveldb/CURRENT',
      'missing Default/IndexedDB/https_portal.example_0/000001.log',
    ])
    expect(await failureOf(cloneProfile({ base, target }))).toContain('000003.log changed')
    expect(existsSync(target)).toBe(false)
  })

  test('that cannot be read seals nothing', async () => {
    await sealProfile(base)
    await writeFile(join(base, 'troupe-seal.json'), '{"version":1,"files":[{"path"')
    expect(await kinds(base)).toContain('damaged troupe-seal.json')
  })

  test('is refused to a profile in use, by our lock, by Chromium’s, or by a process', async () => {
    const lock = await tryLock(join(base, 'troupe.lock'))
    expect(await failureOf(sealProfile(base))).toContain('inUse')
    await lock?.release()

    await rm(join(base, 'SingletonLock'))
    await symlink(`${hostname()}-${process.ppid}`, join(base, 'SingletonLock'))
    expect(await failureOf(sealProfile(base))).toContain('SingletonLock inUse')
    await rm(join(base, 'SingletonLock'))

    const script = 'echo on; sleep 600 & wait; :'
    const args = ['-c', script, 'browser', `--user-data-dir=${base}`]
    const browser = spawn('/bin/sh', args, { detached: true, stdio: ['ignore', 'pipe', 'ignore'] })
    await once(browser.stdout, 'data')
    expect(await failureOf(sealProfile(base))).toContain(`process ${browser.pid} uses it`)
    expect(await failureOf(cloneProfile({ base, target }))).toContain('close that browser first')
    const exited = once(browser, 'exit')
    process.kill(-(browser.pid as number), 'SIGKILL')
    await exited
    // The other process of its group may die a moment after it.
    await vi.waitFor(() => sealProfile(base), 5_000)
  })
})

describe('damage is found without a seal', () => {
  test('in the cookie database', async () => {
    const cookies = join(base, 'Default/Cookies')
    const whole = await readFile(cookies)
    await writeFile(cookies, 'junk')
    expect(await kinds(base)).toEqual(['damaged Default/Cookies'])
    await writeFile(cookies, whole.subarray(0, whole.length - 4_096))
    expect(await kinds(base)).toEqual(['damaged Default/Cookies'])
    await writeFile(cookies, whole)
    expect(await kinds(base)).toEqual([])
    await writeFile(`${cookies}-journal`, Buffer.from('d9d505f920a163d700000001', 'hex'))
    expect((await checkProfile(base)).problems[0]?.detail).toContain('not closed cleanly')
    expect(await failureOf(sealProfile(base))).toContain('Default/Cookies damaged')
  })

  test('in the settings', async () => {
    await writeFile(join(base, 'Default/Preferences'), '{"profile":')
    await writeFile(join(base, 'Local State'), 'null')
    expect(await kinds(base)).toEqual(['damaged Default/Preferences', 'damaged Local State'])
  })

  test('of the whole', async () => {
    expect(await kinds(join(base, 'Default'))).toEqual(['absent Default'])
    expect(await kinds(join(folder, 'nowhere'))).toEqual(['absent .'])
    expect(await failureOf(sealProfile(join(folder, 'nowhere')))).toContain('no such folder')
  })
})

describe('a clone', () => {
  test('has what is kept, and neither locks nor caches', async () => {
    const clone = await cloneProfile({ base, target })
    expect(clone).toMatchObject({ folder: target, files: 6 })
    expect((await readdir(target)).sort()).toEqual(['Default', 'Local State'])
    expect((await readdir(join(target, 'Default'))).sort()).toEqual([
      'Cookies',
      'IndexedDB',
      'Local Storage',
      'Preferences',
    ])
    expect((await readdir(join(target, 'Default/Local Storage/leveldb'))).sort()).toEqual([
      '000003.log',
      'CURRENT',
    ])
    expect((await stat(target)).mode & 0o777).toBe(0o700)
    expect((await stat(join(target, 'Default/Cookies'))).mode & 0o777).toBe(0o600)
  })

  test('without a base is an empty folder of ours', async () => {
    expect(await cloneProfile({ target })).toEqual({ folder: target, files: 0, bytes: 0 })
    expect((await stat(target)).mode & 0o777).toBe(0o700)
    expect(await failureOf(cloneProfile({ target }))).toContain(target)
  })

  test('past the limit is refused with both figures, and leaves nothing', async () => {
    const message = await failureOf(cloneProfile({ base, target, maxBytes: 1_000 }))
    expect(message).toMatch(/has \d+ bytes to keep, 1000 are allowed/)
    expect(existsSync(target)).toBe(false)
  })
})

describe('the store', () => {
  test('gives each incarnation a fresh, locked clone, and deletes it', async () => {
    const store = openProfileStore({ folder: join(folder, 'login', '..'), base, prewarm: false })
    const [first, second] = await Promise.all([
      store.acquire('worker-1', 1),
      store.acquire('worker-2', 1),
    ])
    expect(await readFile(join(first.folder, 'Default/Preferences'), 'utf8')).toContain('Ada')
    expect(await lockHolder(join(first.folder, 'troupe.lock'))).toBe(process.pid)
    const states = (await store.list()).map(({ slot, state }) => `${slot} ${state}`)
    expect(states.sort()).toEqual(['null base', 'worker-1 held', 'worker-2 held'])
    await store.release(first.folder)
    await store.release(first.folder)
    await store.release(second.folder)
    expect((await store.list()).map(({ state }) => state)).toEqual(['base'])
    await expect(store.release('/somewhere/else')).rejects.toThrow('no profile of this pool')
    await expect(store.acquire('../x', 1)).rejects.toThrow('no profile for slot')
    await expect(store.acquire('worker-1', 1)).resolves.toEqual(first)
    await expect(store.acquire('worker-1', 1)).rejects.toThrow('cannot make the profile')
  })

  test('puts a bad copy of the base in quarantine and takes it anew', async () => {
    const profiles = join(folder, 'profiles')
    await mkdir(profiles)
    const store = openProfileStore({ folder: profiles, base, prewarm: false })
    await store.acquire('worker-1', 1)
    const [copy] = await store.list()
    for (let incarnation = 2; incarnation < 7; incarnation++) {
      await writeFile(join(copy?.folder ?? '', 'Default/Local Storage/leveldb/000003.log'), 'torn')
      const { folder: clone } = await store.acquire('worker-1', incarnation)
      const log = await readFile(join(clone, 'Default/Local Storage/leveldb/000003.log'), 'utf8')
      expect(log).toBe('token=1')
    }
    const quarantined = (await store.list()).filter(({ state }) => state === 'quarantined')
    expect(quarantined.map((profile) => profile.folder)).toEqual(
      [3, 4, 5].map((name) => join(profiles, 'quarantine', String(name))),
    )
    expect((await store.clean()).length).toBe(3)
    expect(await readdir(join(profiles, 'quarantine'))).toEqual([])
  })

  test('says what is wrong with the base itself, and works again once it is mended', async () => {
    const profiles = join(folder, 'profiles')
    await mkdir(profiles)
    const whole = await readFile(join(base, 'Default/Cookies'))
    await writeFile(join(base, 'Default/Cookies'), 'junk')
    const store = openProfileStore({ folder: profiles, base, prewarm: false })
    expect(await failureOf(store.acquire('worker-1', 1))).toContain('Default/Cookies damaged')
    await writeFile(join(base, 'Default/Cookies'), whole)
    await store.acquire('worker-1', 2)
  })

  test('cleans leftovers of an earlier life, and spares what is held', async () => {
    const profiles = join(folder, 'profiles')
    await put(join(profiles, 'worker-9.4', 'Default', 'Cookies'), 'old')
    const store = openProfileStore({ folder: profiles })
    const { folder: held } = await store.acquire('worker-1', 1)
    expect(await store.clean()).toEqual([join(profiles, 'worker-9.4')])
    expect(existsSync(held)).toBe(true)
  })
})

describe('the lock', () => {
  test('has one holder, and outlives no holder', async () => {
    const path = join(folder, 'lock')
    const takes = await Promise.all(Array.from({ length: 20 }, () => tryLock(path)))
    const [lock, ...others] = takes.filter((taken) => taken !== null)
    expect(others).toEqual([])
    await lock?.release()
    expect(await lockHolder(path)).toBe(null)

    // Claims of a dead process, and of one whose number lives again.
    await writeFile(`${path}.${2 ** 22 + 1}-5-0123456789ab`, 'held')
    await writeFile(`${path}.${process.pid}-1-0123456789ab`, 'held')
    const retakes = await Promise.all(Array.from({ length: 20 }, () => tryLock(path)))
    const holders = retakes.filter((taken) => taken !== null)
    expect(holders.length).toBe(1)
    expect(await lockHolder(path)).toBe(process.pid)
    await holders[0]?.release()
    expect(await readdir(folder)).toEqual(['login'])
  })
})

test('a cookie and local storage of a real browser live on in a clone', async () => {
  const server = createServer((_, response) => {
    response.setHeader('set-cookie', 'login=yes; max-age=86400; path=/')
    response.setHeader('content-type', 'text/html')
    response.end('<title>portal</title>')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const { executablePath, args } = await findBrowser()
  const open = async (userDataDir: string) => {
    const browser = await puppeteer.launch({
      executablePath,
      args: [...args],
      userDataDir,
      pipe: true,
      headless: 'shell',
      waitForInitialPage: false,
    })
    const page = await browser.newPage()
    await page.goto(url)
    return { browser, page }
  }
  const real = join(folder, 'real')
  const before = await open(real)
  await before.page.evaluate(() => localStorage.setItem('token', 'abc'))
  expect(await failureOf(sealProfile(real))).toContain('uses it')
  await before.browser.close()
  await sealProfile(real)
  await cloneProfile({ base: real, target })

  const after = await open(target)
  const cookies = await after.page.evaluate(() => document.cookie)
  const token = await after.page.evaluate(() => localStorage.getItem('token'))
  await after.browser.close()
  server.closeAllConnections()
  server.close()
  expect({ cookies, token }).toEqual({ cookies: 'login=yes', token: 'abc' })
  expect((await checkProfile(real)).ok).toBe(true)
}, 30_000)
