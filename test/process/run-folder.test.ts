/**
 * Run folders over real processes: made whole, removed whole, and swept only when their owner is
 * dead.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import {
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  rm,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { isTroupeError } from '../../src/common/errors.ts'
import { findBrowser } from '../../src/browser/finder.ts'
import { descendantsOf, groupOf, isAlive, killGroup } from '../../src/process/process-group.ts'
import { WORKER_INIT_VARIABLE } from '../../src/process/ipc/protocol.ts'
import { writeMark } from '../../src/process/mark.ts'
import { openRunFolder, type RunFolder, sweepRunFolders } from '../../src/process/run-folder.ts'

const RUN_FOLDER = new URL('../../src/process/run-folder.ts', import.meta.url).href
const PATIENCE = { timeout: 8_000, interval: 5 }

let root: string
const groups: number[] = []
const opened: RunFolder[] = []

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'runs-'))
})

afterEach(async () => {
  for (const pid of groups.splice(0)) killGroup(pid, 'SIGKILL')
  for (const run of opened.splice(0)) await run.close()
  await rm(root, { recursive: true, force: true })
})

async function open(): Promise<RunFolder> {
  const run = await openRunFolder({ root })
  opened.push(run)
  return run
}

/** Another pool: a process that has opened a run folder, and stays until it is killed. */
async function otherPool(): Promise<{ child: ChildProcess; path: string }> {
  const source = `
    const { openRunFolder } = await import(${JSON.stringify(RUN_FOLDER)})
    const run = await openRunFolder({ root: ${JSON.stringify(root)} })
    process.stdout.write(run.path + '\\n')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  groups.push(child.pid as number)
  const [path] = await once(createInterface({ input: child.stdout }), 'line')
  return { child, path }
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

/** A process in a group of its own, which SIGTERM does not impress. */
function leftover(args: string[], env: NodeJS.ProcessEnv = {}): number {
  const script = "trap '' TERM; sleep 600 & wait; :"
  const child = spawn('/bin/sh', ['-c', script, 'leftover', ...args], {
    detached: true,
    stdio: 'ignore',
    env: { PATH: process.env['PATH'], ...env },
  })
  child.unref()
  groups.push(child.pid as number)
  return child.pid as number
}

describe('a run folder', () => {
  test('is ours alone, holds its subfolders, and is known by its final name only', async () => {
    const run = await open()
    const facts = await stat(run.path)
    expect(facts.mode & 0o777).toBe(0o700)
    expect((await readdir(run.path)).sort()).toEqual([
      '.troupe',
      'artifacts',
      'downloads',
      'owner.sock',
      'profiles',
      'tmp',
    ])
    expect(basename(run.path)).toMatch(/^run-/)
    expect(await readdir(root)).toEqual([basename(run.path)])
    expect(Buffer.byteLength(join(run.path, 'owner.sock'))).toBeLessThan(100)
  })

  test('goes with all in it, though somebody still writes there', async () => {
    const run = await open()
    const writer = spawn('/bin/sh', [
      '-c',
      'n=0; echo on; while [ $n -lt 3000 ]; do n=$((n+1)); echo x > "$1/file-$n"; done',
      'writer',
      run.profiles,
    ])
    writer.stderr.resume()
    await once(writer.stdout, 'data')
    await Promise.all([run.close(), run.close()])
    expect(existsSync(run.path)).toBe(false)
    writer.kill('SIGKILL')
  })

  test('goes at once in an exit handler', async () => {
    const run = await open()
    await writeFile(join(run.downloads, 'x'), 'x')
    run.removeSync()
    run.removeSync()
    expect(existsSync(run.path)).toBe(false)
  })

  test('never keeps the host alive', async () => {
    const source = `
      const { openRunFolder } = await import(${JSON.stringify(RUN_FOLDER)})
      await openRunFolder({ root: ${JSON.stringify(root)} })`
    const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
      stdio: 'inherit',
    })
    expect(await once(child, 'exit')).toEqual([0, null])
  })

  test('a root too long for a socket is refused by name', async () => {
    const long = join(root, 'x'.repeat(80))
    const error = await openRunFolder({ root: long }).catch((reason: unknown) => reason)
    expect(isTroupeError(error, 'CONFIG_INVALID')).toBe(true)
    expect((error as Error).message).toContain(long)
  })
})

describe('a sweep', () => {
  test("kills a dead pool's leftovers and removes its folder", async () => {
    const pool = await otherPool()
    const browser = leftover([`--user-data-dir=${pool.path}/profiles/worker-1.1`])
    const init = JSON.stringify({ slot: 'worker-1', runFolder: pool.path })
    const worker = leftover([], { [WORKER_INIT_VARIABLE]: init })
    const stranger = leftover([`--user-data-dir=${pool.path}0/profiles/worker-1.1`])
    await kill(pool.child)

    const swept = await sweepRunFolders(root)
    expect(swept).toMatchObject([{ folder: pool.path, removed: true }])
    expect(swept[0]?.killed).toEqual(expect.arrayContaining([browser, worker]))
    expect([browser, worker].filter(isAlive)).toEqual([])
    expect(isAlive(stranger)).toBe(true)
    expect(await readdir(root)).toEqual([])
    expect(await sweepRunFolders(root)).toEqual([])
  })

  test('spares a living owner, running or stopped, and what is its', async () => {
    const run = await open()
    const pool = await otherPool()
    process.kill(pool.child.pid as number, 'SIGSTOP')
    const browser = leftover([`--user-data-dir=${pool.path}/profiles/worker-1.1`])
    expect(await sweepRunFolders(root)).toEqual([])
    expect(isAlive(browser)).toBe(true)
    expect(existsSync(join(pool.path, 'owner.sock'))).toBe(true)
    expect(existsSync(run.path)).toBe(true)
  })

  test('leaves a half-made folder alone until it is old', async () => {
    const draft = join(root, '.run-0123456789ab')
    await mkdir(draft, { mode: 0o700 })
    await writeMark(draft, 'run', 'run-0123456789ab')
    expect(await sweepRunFolders(root)).toEqual([])
    const longAgo = new Date(Date.now() - 120_000)
    await utimes(draft, longAgo, longAgo)
    expect(await sweepRunFolders(root)).toMatchObject([{ folder: draft, removed: true }])
  })

  test('never touches what is not a run of this user', async () => {
    await mkdir(join(root, 'run-of-somebody'))
    await writeFile(join(root, 'run-0123456789ab'), 'a file')
    const foreign = join(root, 'run-ba9876543210')
    await mkdir(foreign)
    // Only root can give a folder away; for anybody else it stays fresh, which spares it too.
    if (process.getuid?.() === 0) {
      await chown(foreign, 65_534, 65_534)
      await utimes(foreign, new Date(0), new Date(0))
    }
    expect(await sweepRunFolders(root)).toEqual([])
    expect((await readdir(root)).length).toBe(3)
  })

  test('many pools that start at once spare each other', async () => {
    const starts = Array.from({ length: 20 }, async () => {
      await sweepRunFolders(root)
      const run = await open()
      await sweepRunFolders(root)
      return run.path
    })
    const paths = await Promise.all(starts)
    for (const path of paths) expect((await lstat(join(path, 'owner.sock'))).isSocket()).toBe(true)
  })

  test('of two sweeps at once neither fails', async () => {
    const pools = [await otherPool(), await otherPool()]
    for (const pool of pools) await kill(pool.child)
    const sweeps = await Promise.all([sweepRunFolders(root), sweepRunFolders(root)])
    expect(sweeps.flat().filter((swept) => !swept.removed)).toEqual([])
    expect(await readdir(root)).toEqual([])
  })

  test('a root that is not there has nothing to sweep', async () => {
    expect(await sweepRunFolders(join(root, 'nowhere'))).toEqual([])
  })

  test('finds the stopped helpers of a real browser that is gone', async () => {
    const pool = await otherPool()
    // The package's own: of an installed Chrome, helpers bear the profile on their command line.
    const { executablePath, args } = await findBrowser({ env: { HOME: homedir() }, places: [] })
    const profile = join(pool.path, 'profiles', 'worker-1.1')
    const switches = args.filter((arg) => arg !== '--no-startup-window')
    const browser = spawn(
      executablePath,
      [
        ...switches,
        '--headless',
        '--remote-debugging-port=0',
        `--user-data-dir=${profile}`,
        'about:blank',
      ],
      {
        detached: true,
        stdio: 'ignore',
        env: { ...process.env, TMPDIR: join(pool.path, 'tmp') },
      },
    )
    const pid = browser.pid as number
    groups.push(pid)
    let helpers: number[] = []
    await vi.waitFor(() => {
      helpers = descendantsOf(pid)
      const renderer = helpers.find((helper) =>
        fileOf(helper, 'cmdline').includes('--type=renderer'),
      )
      // At work, that is: with memory shared through files in the run's TMPDIR.
      expect(fileOf(renderer, 'maps')).toContain(join(pool.path, 'tmp'))
    }, PATIENCE)
    killGroup(pid, 'SIGSTOP')
    const gone = once(browser, 'exit')
    process.kill(pid, 'SIGKILL')
    await gone
    await kill(pool.child)
    expect(helpers.filter((helper) => isAlive(helper) && groupOf(helper) === pid)).toEqual(helpers)

    expect(await sweepRunFolders(root)).toMatchObject([{ folder: pool.path, removed: true }])
    await vi.waitFor(() => expect(helpers.filter(isAlive)).toEqual([]), PATIENCE)
  })
})

function fileOf(pid: number | undefined, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'latin1')
  } catch {
    return ''
  }
}
