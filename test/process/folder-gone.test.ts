/**
 * What a cleaner of temporary folders may take from a pool that runs, piece by piece: each is there again
 * when it is needed, and what is in use does not look old. G5.
 */
import { existsSync } from 'node:fs'
import {
  chmod,
  chown,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { parseConfig } from '../../src/config/parse.ts'
import { isTroupeError } from '../../src/common/errors.ts'
import { silentLogger } from '../../src/common/logger.ts'
import { PoolRun } from '../../src/pool/host/run.ts'
import { openProfileStore } from '../../src/profile/store.ts'
import { probeOwner } from '../../src/process/owner-socket.ts'
import { openRunFolder, type RunFolder, sweepRunFolders } from '../../src/process/run-folder.ts'

const LONG_AGO = new Date(Date.now() - 30 * 24 * 3_600_000)
const PARTS = ['profiles', 'tmp', 'artifacts', 'downloads', '.troupe', 'owner.sock']
const LEVELS = 'Default/Local Storage/leveldb/000003.log'

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'gone-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

function codeOf(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    return isTroupeError(error) ? error.code : String(error)
  }
  return 'nothing'
}

describe('a run folder', () => {
  let run: RunFolder
  beforeEach(async () => {
    run = await openRunFolder({ root })
  })
  afterEach(() => run.close())

  const answers = () => vi.waitFor(async () => expect(await probeOwner(run.path)).toBe('alive'))

  test.each(PARTS)('is whole again when its %s was removed', async (part) => {
    expect(run.renew()).toEqual([])
    await rm(join(run.path, part), { recursive: true })
    expect(run.renew()).toEqual([part])
    await answers()
    expect((await readdir(run.path)).sort()).toEqual(PARTS.toSorted())
    expect(run.renew()).toEqual([])
  })

  test('is whole again when all of it was removed, and goes when it is closed', async () => {
    await rm(root, { recursive: true })
    expect(run.renew()).toHaveLength(PARTS.length + 1)
    await answers()
    expect((await stat(run.path)).mode & 0o777).toBe(0o700)
    expect(run.renew()).toEqual([])
    await rm(join(run.path, 'owner.sock'))
    run.renew()
    await run.close()
    expect(run.renew()).toEqual([])
    expect(await readdir(root)).toEqual([])
  })

  test('stays away once the host has removed it at its exit', async () => {
    run.removeSync()
    expect(run.renew()).toEqual([])
    expect(existsSync(run.path)).toBe(false)
  })

  test('without its socket is not swept as a dead pool’s once it has been looked after', async () => {
    await rm(join(run.path, 'owner.sock'))
    run.renew()
    await answers()
    await utimes(run.path, LONG_AGO, LONG_AGO)
    expect(await sweepRunFolders(root)).toEqual([])
    expect(existsSync(run.path)).toBe(true)
  })

  test.skipIf(process.getuid?.() !== 0)(
    'is not made where a stranger has taken its place',
    async () => {
      await rm(run.path, { recursive: true })
      await mkdir(run.path)
      await chown(run.path, 65_534, 65_534)
      expect(codeOf(() => run.renew())).toBe('CONFIG_INVALID')
      expect(await readdir(run.path)).toEqual([])
    },
  )

  test('looks new in every part, and so does what is in use beside it', async () => {
    const beside = join(root, 'browser')
    const files = [join(run.profiles, 'worker-1.1', LEVELS), join(beside, 'fonts', 'one.ttf')]
    for (const file of files) {
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, '')
    }
    run.keepFresh(beside)
    const all = async () => {
      const names = await Promise.all(
        [run.path, beside].map(async (folder) =>
          (await readdir(folder, { recursive: true })).map((name) => join(folder, name)),
        ),
      )
      return [run.path, beside, ...names.flat()]
    }
    for (const path of await all()) await utimes(path, LONG_AGO, LONG_AGO)
    await run.touch()
    for (const path of await all()) {
      const { atimeMs, mtimeMs } = await stat(path)
      expect(Math.min(atimeMs, mtimeMs), path).toBeGreaterThan(Date.now() - 60_000)
    }
    expect((await all()).length).toBeGreaterThan(12)
  })
})

describe('a profile', () => {
  let profiles: string
  let base: string
  let store: ReturnType<typeof openProfileStore>
  let made = 0

  beforeEach(async () => {
    profiles = join(root, 'profiles')
    base = join(root, 'login')
    for (const [path, text] of Object.entries({ 'Local State': '{}', [LEVELS]: 'logged in' })) {
      await mkdir(dirname(join(base, path)), { recursive: true })
      await writeFile(join(base, path), text)
    }
    store = openProfileStore({ folder: profiles, base })
  })
  afterEach(() => store.close())

  const next = async () => {
    const { folder } = await store.acquire('worker-1', ++made)
    return readFile(join(folder, LEVELS), 'utf8')
  }
  const folderOf = async (state: 'spare' | 'base') =>
    vi.waitFor(async () => {
      const found = (await store.list()).find((profile) => profile.state === state)
      expect(found).toBeDefined()
      return found?.folder ?? ''
    })

  test('is made though the folder of all profiles is gone', async () => {
    await next()
    await folderOf('spare')
    await rm(profiles, { recursive: true })
    expect(await next()).toBe('logged in')
  })

  test('is a whole one though the copy it is made of has lost files, and its seal with them', async () => {
    await next()
    const [spare, copy] = [await folderOf('spare'), await folderOf('base')]
    await rm(spare, { recursive: true })
    for (const file of [LEVELS, 'troupe-seal.json']) await rm(join(copy, file))
    expect(await next()).toBe('logged in')
    await store.close()
    await rm(await folderOf('base'), { recursive: true })
    await rm(await folderOf('spare'), { recursive: true })
    expect(await next()).toBe('logged in')
  })

  test('is a whole one though the one made ahead has lost a file', async () => {
    await next()
    await rm(join(await folderOf('spare'), LEVELS))
    expect(await next()).toBe('logged in')
  })

  test('in use is known to be gone', async () => {
    const { folder } = await store.acquire('worker-2', 1)
    expect(store.isThere(folder)).toBe(true)
    await rm(folder, { recursive: true })
    // As the browser that runs on it may do.
    await mkdir(folder)
    expect(store.isThere(folder)).toBe(false)
    await store.release(folder)
  })
})

test('a browser that is gone is looked for again at each start', async () => {
  const executablePath = join(root, 'chromium')
  const put = async () => {
    await copyFile('/bin/sh', executablePath)
    await chmod(executablePath, 0o755)
  }
  await put()
  const tasks = new URL('../fixtures/plain-tasks.ts', import.meta.url)
  const config = parseConfig({ tasks, runFolder: root, browser: { executablePath } })
  const run = await PoolRun.open(config, silentLogger)
  try {
    const session = { name: 'default', baseProfile: null } as never
    expect(await run.prepareLaunch('worker-1', 1, session)).toMatchObject({ executablePath })
    await rm(executablePath)
    await expect(run.prepareLaunch('worker-1', 2, session)).rejects.toMatchObject({
      code: 'BROWSER_NOT_FOUND',
    })
    await put()
    expect(await run.prepareLaunch('worker-1', 3, session)).toMatchObject({ executablePath })
  } finally {
    await run.close()
  }
})
