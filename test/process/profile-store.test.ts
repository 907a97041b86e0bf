/**
 * The profiles of a run beyond the plain case: clones made ahead, several bases, deletions that fail at first, a disk
 * that is nearly full. G3, G7.
 */
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { assertRoom, readDisk } from '../../src/monitor/disk.ts'
import { Leftovers, MAX_TRIES } from '../../src/profile/leftovers.ts'
import { MAX_SPARES } from '../../src/profile/spares.ts'
import { openProfileStore, type ProfileStoreOptions } from '../../src/profile/store.ts'
import { mountDisk } from '../chaos/small-disk.ts'

let folder: string
let profiles: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'store-'))
  profiles = join(folder, 'profiles')
  await mkdir(profiles)
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function makeBase(name: string): Promise<string> {
  const base = join(folder, name)
  const files = { 'Local State': '{}', 'Default/Local Storage/leveldb/000003.log': name }
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(base, path)), { recursive: true })
    await writeFile(join(base, path), content)
  }
  return base
}

const open = (options: Partial<ProfileStoreOptions> = {}) =>
  openProfileStore({ folder: profiles, ...options })
type Store = ReturnType<typeof open>

async function states(store: Store): Promise<string[]> {
  return (await store.list()).map(({ state }) => state).sort()
}

async function ownerOf(profile: string): Promise<string> {
  return readFile(join(profile, 'Default/Local Storage/leveldb/000003.log'), 'utf8')
}

/** Once what is made ahead is made. */
const prepared = (store: Store) =>
  vi.waitFor(async () => expect(await states(store)).toContain('spare'))

describe('a clone made ahead', () => {
  test('is what the next start gets, without a look at the base', async () => {
    const base = await makeBase('ada')
    const store = open({ base })
    await store.acquire('worker-1', 1)
    await prepared(store)
    const listed = await store.list()
    const spare = listed.find(({ state }) => state === 'spare')
    const copy = listed.find(({ state }) => state === 'base')
    await writeFile(join(spare?.folder ?? '', 'Default', 'mark'), 'made ahead')
    // Were it looked at, it would be put in quarantine.
    await writeFile(join(copy?.folder ?? '', 'Default/Local Storage/leveldb/000003.log'), 'torn')
    const { folder: next } = await store.acquire('worker-1', 2)
    expect(await readFile(join(next, 'Default', 'mark'), 'utf8')).toBe('made ahead')
    expect(await ownerOf(next)).toBe('ada')
    await prepared(store)
    expect(await states(store)).toEqual(['base', 'held', 'held', 'quarantined', 'spare'])
    const third = await store.acquire('worker-1', 3)
    expect(await ownerOf(third.folder)).toBe('ada')
    await store.close()
  })

  test('is of the base that is asked for, and only a few are kept', async () => {
    const store = open()
    for (let index = 0; index < MAX_SPARES + 3; index++) {
      const base = await makeBase(`member-${index}`)
      const { folder: profile } = await store.acquire(`worker-${index}`, 1, base)
      expect(await ownerOf(profile)).toBe(`member-${index}`)
    }
    await store.close()
    const spares = (await store.list()).filter(({ state }) => state === 'spare')
    expect(spares).toHaveLength(MAX_SPARES)
    const again = await store.acquire('worker-9', 1, join(folder, 'member-6'))
    expect(await ownerOf(again.folder)).toBe('member-6')
    await store.close()
    expect(await states(store)).toHaveLength(MAX_SPARES - 1 + 7 + 8)
  })

  test('is not made without a base, nor after the end, and goes with the clean-up', async () => {
    const plain = open()
    await plain.acquire('worker-1', 1)
    await plain.close()
    expect(await states(plain)).toEqual(['held'])
    const store = open({ base: await makeBase('ada') })
    await store.acquire('worker-2', 1)
    await prepared(store)
    expect(await store.clean()).toHaveLength(2)
    expect(await states(store)).toEqual(['base', 'held'])
    await store.close()
    await store.acquire('worker-2', 2)
    await store.close()
    expect(await states(store)).toEqual(['base', 'held', 'held'])
  })
})

describe('a deletion', () => {
  test('is looked at again: a browser in its exec writes its profile once more', async () => {
    const store = open()
    const { folder: profile } = await store.acquire('worker-1', 1)
    await store.release(profile)
    await mkdir(join(profile, 'Default'), { recursive: true })
    await vi.waitFor(() => expect(existsSync(profile)).toBe(false), { timeout: 2_000 })
    await store.close()
  })
})

describe('a deletion that fails', () => {
  test('is tried again after longer and longer waits, until it is done', async () => {
    const tries: number[] = []
    const ended = Promise.withResolvers<[string, boolean]>()
    const store = open({
      leftovers: {
        delaysMs: [20, 60],
        remove: async (path) => {
          tries.push(performance.now())
          if (tries.length < 4) throw new Error('EBUSY: resource busy')
          await rm(path, { recursive: true })
        },
        onEnd: (path, isGone) => ended.resolve([path, isGone]),
      },
    })
    const { folder: profile } = await store.acquire('worker-1', 1)
    await expect(store.release(profile)).rejects.toThrow(/cannot delete the profile .*EBUSY/)
    expect(await states(store)).toEqual(['leftover'])
    expect(await ended.promise).toEqual([profile, true])
    expect(existsSync(profile)).toBe(false)
    const waits = tries.slice(1).map((at, index) => at - (tries[index] ?? 0))
    expect(waits.map((wait, index) => wait >= ([20, 60, 60][index] ?? 0) - 1)).toEqual([
      true,
      true,
      true,
    ])
  })

  test('is given up after so many tries, and left to the clean-up', async () => {
    const ended = Promise.withResolvers<boolean>()
    const remove = vi.fn(() => Promise.reject(new Error('EBUSY')))
    const leftovers = new Leftovers({
      remove,
      delaysMs: [1],
      onEnd: (_, isGone) => ended.resolve(isGone),
    })
    await expect(leftovers.remove('/nowhere')).rejects.toThrow('EBUSY')
    expect(await ended.promise).toBe(false)
    expect(remove).toHaveBeenCalledTimes(1 + MAX_TRIES)
    expect(leftovers.size).toBe(0)
  })

  test('is cleaned on demand, and not tried any more', async () => {
    const remove = vi.fn(() => Promise.reject(new Error('EBUSY')))
    const store = open({ leftovers: { remove, delaysMs: [60_000] } })
    const { folder: profile } = await store.acquire('worker-1', 1)
    await expect(store.release(profile)).rejects.toThrow('EBUSY')
    expect(await store.clean()).toEqual([profile])
    expect(await readdir(profiles)).toEqual([])
  })
})

describe('a disk that is nearly full', () => {
  test('gets no profile and no file', async () => {
    const { freeBytes } = await readDisk(profiles)
    const floor = freeBytes * 2
    await expect(open({ diskFloorBytes: floor }).acquire('worker-1', 1)).rejects.toMatchObject({
      code: 'PROFILE_FAILED',
      message: expect.stringMatching(/no room for the profile of worker-1: .* bytes left/),
    })
    expect(await readdir(profiles)).toEqual([])
    await expect(assertRoom(profiles, floor, 'x', 'TASK_FAILED')).rejects.toMatchObject({
      code: 'TASK_FAILED',
    })
    await assertRoom(profiles, 1, 'x', 'TASK_FAILED')
    await assertRoom('/nowhere', 0, 'x', 'TASK_FAILED')
  })

  test('gives back what it had made when even its lock finds no room', async (context) => {
    const base = await makeBase('base')
    const disk = mountDisk(join(folder, 'small'), 8)
    if (disk.problem !== null) return context.skip(disk.problem)
    try {
      const store = open({ folder: disk.folder, base })
      await store.release((await store.acquire('worker-1', 1)).folder)
      await prepared(store)
      // The clone made ahead is only renamed: that needs no room.
      disk.fill()
      await expect(store.acquire('worker-1', 2)).rejects.toThrow()
      expect(await readdir(disk.folder)).not.toContain('worker-1.2')
      disk.empty()
      await store.close()
    } finally {
      disk.unmount()
    }
  })

  test('is refused by its own room, and served again once it has some', async (context) => {
    const disk = mountDisk(join(folder, 'small'), 8)
    if (disk.problem !== null) return context.skip(disk.problem)
    try {
      const store = open({ folder: disk.folder, diskFloorBytes: 4 * 1024 * 1024 })
      const { folder: profile } = await store.acquire('worker-1', 1)
      disk.fill()
      await expect(store.acquire('worker-2', 1)).rejects.toMatchObject({ code: 'PROFILE_FAILED' })
      await store.release(profile)
      disk.empty()
      await store.acquire('worker-2', 2)
      await store.close()
    } finally {
      disk.unmount()
    }
  })
})
