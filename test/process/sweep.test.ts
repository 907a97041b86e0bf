/**
 * What Troupe removes recursively is its own by its mark: any neighbour in the folder of the runs, in
 * the caches and among the profiles stays, whatever it is called and whatever lies in it.
 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { clearProfiles } from '../../src/profile/survey.ts'
import { openCompileCache } from '../../src/process/compile-cache.ts'
import { isMarked, MARK, openMarked, removeMarked, writeMark } from '../../src/process/mark.ts'
import { sweepRunFolders } from '../../src/process/run-folder.ts'

const LONG_AGO = new Date(0)
/** More in a deep run: each sweep looks through all processes of the machine. */
const RUNS = Number(process.env['SWEEP_RUNS'] ?? 20)
let root = ''
let elsewhere = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sweep-'))
  elsewhere = mkdtempSync(join(tmpdir(), 'sweep-else-'))
})
afterEach(() => {
  for (const folder of [root, elsewhere]) rmSync(folder, { recursive: true, force: true })
})

/** A folder such as a dead pool leaves: marked, without a socket, and old. */
async function deadRun(name: string): Promise<string> {
  const path = join(root, name)
  mkdirSync(join(path, 'profiles', 'worker-1.1'), { recursive: true, mode: 0o700 })
  await writeMark(path, 'run', name)
  utimesSync(path, LONG_AGO, LONG_AGO)
  return path
}

const hex = fc.string({
  unit: fc.constantFrom(...'0123456789abcdef'),
  minLength: 12,
  maxLength: 12,
})
const name = fc.oneof(
  { weight: 6, arbitrary: hex.map((digits) => `run-${digits}`) },
  { weight: 2, arbitrary: hex.map((digits) => `.run-${digits}`) },
  { weight: 1, arbitrary: hex.map((digits) => `run-${digits}-old`) },
)
/** How a folder comes near to being a run without being one. */
const near = fc.constantFrom(
  'plain',
  'empty',
  'a file',
  'a link to a folder',
  'a link to a run',
  'the mark of another',
  'an empty mark',
  'a mark that is a link',
  'a mark of another kind',
  'open to others',
)

async function neighbour(path: string, called: string, kind: string, at: number): Promise<void> {
  const target = join(elsewhere, String(at))
  if (kind === 'a file') return writeFileSync(path, 'mine')
  const folder = kind.startsWith('a link to') ? target : path
  mkdirSync(join(folder, 'profiles', 'quarantine'), { recursive: true, mode: 0o700 })
  chmodSync(folder, 0o700)
  if (kind === 'empty') rmSync(join(folder, 'profiles'), { recursive: true })
  else writeFileSync(join(folder, 'profiles', 'quarantine', '1'), 'mine')
  const own = called.replace(/^\./, '')
  if (kind === 'a link to a run' || kind === 'open to others') await writeMark(folder, 'run', own)
  if (kind === 'the mark of another') await writeMark(folder, 'run', 'run-000000000000')
  if (kind === 'a mark of another kind') await writeMark(folder, 'compile-cache', own)
  if (kind === 'an empty mark') writeFileSync(join(folder, MARK), '')
  if (kind === 'a mark that is a link') {
    await writeMark(elsewhere, 'run', own)
    renameSync(join(elsewhere, MARK), join(elsewhere, `mark-${at}`))
    symlinkSync(join(elsewhere, `mark-${at}`), join(folder, MARK))
  }
  if (kind === 'open to others') chmodSync(folder, 0o770)
  utimesSync(folder, LONG_AGO, LONG_AGO)
  if (folder === target) symlinkSync(target, path)
}

/** Every path below, with what is in it. */
function contents(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => {
      const path = join(entry.parentPath, entry.name)
      return `${path} ${entry.isFile() ? readFileSync(path, 'utf8') : ''}`
    })
    .sort()
}

test('of random neighbours nothing without the mark disappears, and dead runs do', async () => {
  const folders = fc.uniqueArray(fc.tuple(name, near), {
    selector: ([called]) => called.replace(/^\./, ''),
    maxLength: 8,
  })
  await fc.assert(
    fc.asyncProperty(folders, async (all) => {
      for (const folder of [root, elsewhere]) {
        for (const entry of readdirSync(folder)) rmSync(join(folder, entry), { recursive: true })
      }
      for (const [at, [called, kind]] of all.entries()) {
        await neighbour(join(root, called), called, kind, at)
      }
      const before = [...contents(root), ...contents(elsewhere)]
      const dead = await deadRun('run-ffffffffff00')
      expect(await sweepRunFolders(root)).toMatchObject([{ folder: dead, removed: true }])
      await clearProfiles(root, 0)
      expect([...contents(root), ...contents(elsewhere)]).toEqual(before)
    }),
    { numRuns: RUNS },
  )
})

test('a folder that takes the place of one that was looked at stays as it is', async () => {
  const path = await deadRun('run-0123456789ab')
  const marked = await openMarked(path, 'run')
  renameSync(path, `${path}-moved`)
  mkdirSync(join(elsewhere, 'mine'))
  writeFileSync(join(elsewhere, 'mine', 'x'), 'mine')
  symlinkSync(join(elsewhere, 'mine'), path)
  if (marked === null) throw new Error('the folder bears its mark')
  await removeMarked(path, marked).catch(() => undefined)
  await marked.close()
  expect(contents(elsewhere)).toEqual([
    `${join(elsewhere, 'mine')} `,
    `${join(elsewhere, 'mine', 'x')} mine`,
  ])
})

test('a folder of the runs that is a link of somebody else is not looked into', async () => {
  const before = process.env['TMPDIR']
  try {
    process.env['TMPDIR'] = elsewhere
    await deadRun('run-0123456789ab')
    symlinkSync(root, join(elsewhere, `troupe-${process.getuid?.()}`))
    expect(await sweepRunFolders()).toEqual([])
  } finally {
    if (before === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = before
  }
  expect(await isMarked(join(root, 'run-0123456789ab'), 'run')).toBe(true)
})

test('a compile cache is emptied only where Troupe has made it, and never through a link', async () => {
  const large = Buffer.alloc(65 * 1024 * 1024)
  const own = join(elsewhere, 'troupe', 'compiled')
  expect(await openCompileCache({ XDG_CACHE_HOME: elsewhere })).toBe(own)
  writeFileSync(join(own, 'old'), large)
  expect(await openCompileCache({ XDG_CACHE_HOME: elsewhere })).toBe(own)
  expect(readdirSync(own)).toEqual([MARK])

  const theirs = join(root, 'theirs', 'compiled')
  mkdirSync(theirs, { recursive: true })
  writeFileSync(join(theirs, 'work'), large)
  const cache = join(root, 'cache')
  mkdirSync(cache)
  symlinkSync(join(root, 'theirs'), join(cache, 'troupe'))
  expect(await openCompileCache({ XDG_CACHE_HOME: cache })).toBeNull()
  rmSync(join(cache, 'troupe'))
  renameSync(join(root, 'theirs'), join(cache, 'troupe'))
  expect(await openCompileCache({ XDG_CACHE_HOME: cache })).toBeNull()
  expect(existsSync(join(cache, 'troupe', 'compiled', 'work'))).toBe(true)
})
