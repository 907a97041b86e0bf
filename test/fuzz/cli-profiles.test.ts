/**
 * Whatever lies in a profile's folder, `troupe profiles` tells it in one line of JSON and one of its exit codes, and
 * never throws; and whatever is changed in a sealed profile, it is found.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { profilesCommand } from '../../src/cli/profiles.ts'
import { isTroupeError } from '../../src/common/errors.ts'

const KEPT = [
  'Local State',
  'Default/Preferences',
  'Default/Cookies',
  'Default/Local Storage/leveldb/000003.log',
  'Default/IndexedDB/a/1.log',
] as const
const SEAL = 'troupe-seal.json'
let root: string
let count = 0

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'fuzz-profiles-'))
})
afterAll(() => rm(root, { recursive: true }))

async function write(files: Readonly<Record<string, Uint8Array | string>>): Promise<string> {
  count += 1
  const folder = join(root, String(count))
  await mkdir(folder)
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), content)
  }
  return folder
}

async function troupe(command: 'seal' | 'check' | 'list' | 'clean', folder: string) {
  let written = ''
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    written += String(chunk)
    return true
  })
  try {
    const code = await profilesCommand(command, folder, { json: true })
    expect(written.split('\n')).toHaveLength(2)
    const report = JSON.parse(written) as Record<string, unknown>
    expect(report).toMatchObject({ command, exitCode: code })
    expect([0, 1]).toContain(code)
    return report
  } finally {
    spy.mockRestore()
  }
}

const bytes = fc.uint8Array({ maxLength: 60 })
const content = fc.oneof(bytes, fc.json().map(String), fc.constantFrom('', '{}', 'null', '[]'))
const manifest = fc.oneof(
  content,
  fc
    .record({
      version: fc.constantFrom(1, 2, '1', null),
      files: fc.oneof(
        fc.array(
          fc.record(
            {
              path: fc.oneof(fc.constantFrom(...KEPT), fc.string()),
              bytes: fc.nat(),
              sha256: fc.string(),
            },
            { requiredKeys: [] },
          ),
          { maxLength: 3 },
        ),
        fc.constantFrom(null, 'files', {}),
      ),
    })
    .map((value) => JSON.stringify(value)),
)

/** A name that does not lead back to a folder there is. */
const elsewhere = fc.string({ minLength: 1 }).filter((name) => !name.includes('..'))

describe('profiles', () => {
  it('of any content are told of, and a seal that is given holds', async () => {
    const anything = fc.record(
      Object.fromEntries([...KEPT.map((path) => [path, content]), [SEAL, manifest]]),
      { requiredKeys: [] },
    )
    await fc.assert(
      fc.asyncProperty(anything, async (files) => {
        const folder = await write(files as Record<string, Uint8Array | string>)
        await troupe('check', folder)
        await troupe('list', folder)
        const { sealed } = await troupe('seal', folder)
        const after = await troupe('check', folder)
        if (sealed === true) expect(after).toMatchObject({ ok: true, sealed: true, problems: [] })
        expect(await troupe('clean', folder)).toMatchObject({ removed: [], kept: [] })
      }),
      { numRuns: 20 },
    )
  })

  it('that are sealed and then changed anywhere are found out', async () => {
    const sound = { 'Local State': '{}', 'Default/Preferences': '{"a":1}', [KEPT[3]]: 'log' }
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...KEPT),
        fc.constantFrom('replace', 'remove'),
        bytes,
        async (path, action, fresh) => {
          const folder = await write(sound)
          expect(await troupe('seal', folder)).toMatchObject({ sealed: true })
          const target = join(folder, path)
          const before = await readFile(target).catch(() => null)
          if (action === 'remove') await rm(target, { force: true })
          else {
            await mkdir(dirname(target), { recursive: true })
            await writeFile(target, fresh)
          }
          const after = await readFile(target).catch(() => null)
          const isSame = before === null || after === null ? before === after : before.equals(after)
          expect((await troupe('check', folder)).ok).toBe(isSame)
        },
      ),
      { numRuns: 20 },
    )
  })

  it('of any name are a folder or wrong usage', async () => {
    await fc.assert(
      fc.asyncProperty(elsewhere, async (name) => {
        const work = profilesCommand('check', join(root, 'no', name), { json: true })
        const error = await work.then(
          () => null,
          (reason: unknown) => reason,
        )
        expect(isTroupeError(error, 'CONFIG_INVALID')).toBe(true)
      }),
      { numRuns: 100 },
    )
  })
})
