/** `troupe profiles` as a user meets it: exit codes, JSON, the table, and what it spares. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openProfileStore } from '../../src/profile/store.ts'
import { clearProfiles } from '../../src/profile/survey.ts'
import { writeMark } from '../../src/process/mark.ts'
import { openRunFolder } from '../../src/process/run-folder.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'p-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function troupe(...args: string[]) {
  const env = { ...process.env, TMPDIR: folder }
  const child = spawn(process.execPath, [MAIN, 'profiles', ...args], { env })
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve))
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exited])
  const json = (): Record<string, unknown> => {
    expect(stdout.endsWith('}\n')).toBe(true)
    expect(stdout.trimEnd()).not.toContain('\n')
    return JSON.parse(stdout) as Record<string, unknown>
  }
  return { stdout, stderr, code, json }
}

async function makeBase(name: string): Promise<string> {
  const base = join(folder, name)
  await mkdir(join(base, 'Default'), { recursive: true })
  await writeFile(join(base, 'Local State'), '{}')
  return base
}

describe('seal and check', () => {
  test('a profile is sealed, found whole, and found changed', async () => {
    const base = await makeBase('ada')
    expect(await troupe('check', base)).toMatchObject({
      code: 0,
      stdout: `${base}: nothing wrong, but not sealed (1 file, 2 B)\n`,
    })
    const sealed = await troupe('seal', base, '--json')
    expect(sealed.json()).toEqual({
      command: 'seal',
      folder: base,
      sealed: true,
      files: 1,
      bytes: 2,
      exitCode: 0,
    })
    expect((await troupe('check', base, '--json')).json()).toMatchObject({ ok: true, sealed: true })
    await writeFile(join(base, 'Local State'), '[]')
    const changed = await troupe('check', base, '--json')
    expect(changed.code).toBe(1)
    expect(changed.json()).toMatchObject({
      ok: false,
      problemCount: 1,
      problems: [{ kind: 'changed', path: 'Local State' }],
      exitCode: 1,
    })
    const reported = await troupe('check', base)
    expect(reported.stdout).toMatch(/not to be used .*\n {2}changed {2}Local State: /)
  })

  test('what cannot be sealed is told, with exit code 1', async () => {
    const base = await makeBase('ada')
    await writeFile(join(base, 'Local State'), 'null')
    const refused = await troupe('seal', base, '--json')
    expect(refused.code).toBe(1)
    expect(refused.json()).toMatchObject({ sealed: false, error: { code: 'PROFILE_FAILED' } })
    expect(existsSync(join(base, 'troupe-seal.json'))).toBe(false)
  })

  test.each([
    [['seal'], /missing required argument/],
    [['check', ''], /It is empty/],
    [['check', '/nowhere/at/all'], /no folder \/nowhere\/at\/all/],
    [['list', '/nowhere/at/all'], /no folder/],
    [['seal', '/nowhere', '--jason'], /unknown option/],
    [['burn', '/nowhere'], /unknown command/],
  ])('%j is wrong usage', async (args, message) => {
    const { code, stdout, stderr } = await troupe(...args)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(message)
  })
})

describe('list and clean', () => {
  test('where no pool ever ran there is nothing', async () => {
    expect(await troupe('list')).toMatchObject({ code: 0, stdout: '0 profiles, 0 B\n' })
    expect(await troupe('clean')).toMatchObject({ code: 0, stdout: 'nothing to clean\n' })
  })

  test('bases are shown, and never removed', async () => {
    const [ada, bob] = [await makeBase('ada'), await makeBase('bob')]
    await troupe('seal', ada)
    await writeFile(join(bob, 'Local State'), '{')
    const { profiles } = (await troupe('list', folder, '--json')).json()
    expect(profiles).toMatchObject([
      { folder: ada, state: 'sealed', run: null },
      { folder: bob, state: 'damaged', run: null },
    ])
    expect(await troupe('clean', folder)).toMatchObject({ code: 0, stdout: 'nothing to clean\n' })
    expect((await readdir(folder)).sort()).toEqual(['ada', 'bob'])
  })

  test('a living pool keeps what it holds; its leftovers and a dead pool’s folder go', async () => {
    const base = await makeBase('ada')
    const root = join(folder, 'runs')
    const run = await openRunFolder({ root })
    try {
      const store = openProfileStore({ folder: run.profiles, base })
      const { folder: held } = await store.acquire('worker-1', 1)
      await store.close()
      const leftover = join(run.profiles, 'worker-2.1')
      const young = join(run.profiles, 'worker-3.1')
      const dead = join(root, 'run-0123456789ab', 'profiles', 'worker-1.1')
      const quarantined = join(run.profiles, 'quarantine', '1')
      for (const path of [leftover, young, dead, quarantined])
        await mkdir(path, { recursive: true, mode: 0o700 })
      await writeMark(join(root, 'run-0123456789ab'), 'run', 'run-0123456789ab')
      // A folder's own age cannot be set: what was made a moment ago is spared.
      const longAgo = new Date(Date.now() - 3_600_000)
      await utimes(join(root, 'run-0123456789ab'), longAgo, longAgo)
      const listed = (await troupe('list', root, '--json')).json().profiles as object[]
      expect(listed.map((one) => [Reflect.get(one, 'folder'), Reflect.get(one, 'state')])).toEqual(
        expect.arrayContaining([
          [held, 'held'],
          [leftover, 'leftover'],
          [dead, 'leftover'],
          [quarantined, 'quarantined'],
        ]),
      )
      const cleaned = await troupe('clean', root, '--json')
      expect(cleaned.json()).toMatchObject({ kept: [], exitCode: 0 })
      const removed = cleaned.json().removed as string[]
      expect(removed.sort()).toEqual([join(root, 'run-0123456789ab'), quarantined].sort())
      expect([held, leftover, young].map((path) => existsSync(path))).toEqual([true, true, true])
      expect([...(await clearProfiles(root, 0)).removed].sort()).toEqual([leftover, young])
      expect(existsSync(held)).toBe(true)
    } finally {
      await run.close()
    }
  })
})
