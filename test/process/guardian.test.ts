/**
 * The guardian, over real processes: what dies with the pool, what is spared, and that it comes
 * back when killed.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { startGuardian } from '../../src/process/guardian.ts'
import { isAlive, isGroupAlive, killGroup } from '../../src/process/process-group.ts'

const GUARDIAN = new URL('../../src/process/guardian.ts', import.meta.url).href
const PATIENCE = { timeout: 8_000, interval: 5 }

let folder: string
const groups: number[] = []

beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'guardian-')), 'run-1')
  await mkdir(join(folder, 'profiles'), { recursive: true })
})

afterEach(async () => {
  for (const pid of groups.splice(0)) killGroup(pid, 'SIGKILL')
  await rm(join(folder, '..'), { recursive: true, force: true })
})

/** A process in a group of its own, which SIGTERM does not impress. */
function bystander(...args: string[]): number {
  const script = "trap '' TERM; sleep 600 & wait; :"
  const child = spawn('/bin/sh', ['-c', script, 'bystander', ...args], {
    detached: true,
    stdio: 'ignore',
  })
  child.unref()
  groups.push(child.pid as number)
  return child.pid as number
}

/**
 * A stand-in for a pool: runs `script` with a guardian, tells a line of JSON, and stays until it is
 * killed.
 */
async function holder(script: string, args: unknown[] = []) {
  const source = `
    const { startGuardian } = await import(${JSON.stringify(GUARDIAN)})
    const guardian = startGuardian(${JSON.stringify(folder)})
    const args = ${JSON.stringify(args)}
    const tell = (value) => process.stdout.write(JSON.stringify(value) + '\\n')
    ${script}`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  groups.push(child.pid as number)
  const [line] = await once(createInterface({ input: child.stdout }), 'line')
  return { child, reported: JSON.parse(line) }
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

function ignoredSignals(pid: number): bigint {
  const mask = /^SigIgn:\s+([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
  return BigInt(`0x${mask?.[1]}`)
}

const STAY = 'setInterval(() => {}, 1000)'

describe('when the pool is killed', () => {
  test('told groups, untold browsers of the run and the folder are gone', async () => {
    const reported = bystander()
    const untold = bystander(`--user-data-dir=${folder}/profiles/worker-1.1`)
    const strangers = [bystander(), bystander(`--user-data-dir=${folder}2/profiles/x`)]
    const { child } = await holder(`guardian.watch(args[0]); tell(1); ${STAY}`, [reported])
    await kill(child)
    const since = performance.now()
    await vi.waitFor(() => {
      expect([reported, untold].filter(isGroupAlive)).toEqual([])
      expect(existsSync(folder)).toBe(false)
    }, PATIENCE)
    expect(performance.now() - since).toBeLessThan(2_000)
    expect(strangers.filter(isAlive)).toEqual(strangers)
  })

  test('a stopped group dies too', async () => {
    const reported = bystander()
    process.kill(-reported, 'SIGSTOP')
    const { child } = await holder(`guardian.watch(args[0]); tell(1); ${STAY}`, [reported])
    await kill(child)
    await vi.waitFor(() => expect(isAlive(reported)).toBe(false), PATIENCE)
  })

  test('a released process is spared', async () => {
    const [reported, released] = [bystander(), bystander()]
    const script = `
      for (const pid of args) guardian.watch(pid)
      guardian.release(args[1])
      tell(1)
      ${STAY}`
    const { child } = await holder(script, [reported, released])
    await kill(child)
    await vi.waitFor(() => expect(isAlive(reported)).toBe(false), PATIENCE)
    await vi.waitFor(() => expect(existsSync(folder)).toBe(false), PATIENCE)
    expect(isAlive(released)).toBe(true)
  })

  test('the successor of a killed guardian knows all that its predecessor knew', async () => {
    const [early, late] = [bystander(), bystander()]
    const { child, reported } = await holder(
      `guardian.watch(args[0])
       const first = guardian.pid
       process.kill(first, 'SIGKILL')
       const timer = setInterval(() => {
         if (guardian.pid === first || guardian.pid === null) return
         clearInterval(timer)
         guardian.watch(args[1])
         tell({ first, second: guardian.pid })
       }, 5)
       ${STAY}`,
      [early, late],
    )
    expect(reported.second).not.toBe(reported.first)
    await kill(child)
    await vi.waitFor(() => expect([early, late].filter(isAlive)).toEqual([]), PATIENCE)
    await vi.waitFor(() => expect(isAlive(reported.second)).toBe(false), PATIENCE)
  })

  test('signals that end the rest of the terminal leave it standing', async () => {
    const reported = bystander()
    const { child, reported: pid } = await holder(
      `guardian.watch(args[0]); tell(guardian.pid); ${STAY}`,
      [reported],
    )
    // Signals 1, 2 and 15, once the shell has come so far as to ignore them.
    await vi.waitFor(() => expect(ignoredSignals(pid) & 0x4003n).toBe(0x4003n), PATIENCE)
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.kill(pid, signal)
    await kill(child)
    await vi.waitFor(() => expect(isAlive(reported)).toBe(false), PATIENCE)
  })
})

describe('otherwise', () => {
  test('it never keeps the host alive', async () => {
    const { child } = await holder('tell(1)')
    const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode]
    expect(code).toBe(0)
    await vi.waitFor(() => expect(existsSync(folder)).toBe(false), PATIENCE)
  })

  test('stop ends it and harms nothing', async () => {
    const reported = bystander()
    const guardian = startGuardian(folder)
    const pid = guardian.pid as number
    guardian.watch(reported)
    await Promise.all([guardian.stop(), guardian.stop()])
    expect(isAlive(pid)).toBe(false)
    expect(guardian.pid).toBe(null)
    expect(isAlive(reported)).toBe(true)
    expect(existsSync(folder)).toBe(true)
  })

  test('stop does not wait for a guardian that is stopped itself', async () => {
    const guardian = startGuardian(folder)
    const pid = guardian.pid as number
    process.kill(pid, 'SIGSTOP')
    await guardian.stop()
    expect(isAlive(pid)).toBe(false)
    expect(existsSync(folder)).toBe(true)
  })

  test('a lost guardian is told, and replaced', async () => {
    const lost: string[] = []
    const guardian = startGuardian(folder, { onLost: (error) => lost.push(error.message) })
    const first = guardian.pid as number
    process.kill(first, 'SIGKILL')
    await vi.waitFor(() => {
      expect(guardian.pid).not.toBe(null)
      expect(guardian.pid).not.toBe(first)
    }, PATIENCE)
    expect(lost).toEqual(['the guardian ended: SIGKILL'])
    await guardian.stop()
  })

  test('the list is bounded, and the path must be one to remove', async () => {
    expect(() => startGuardian('/')).toThrow('not the path of a run folder')
    expect(() => startGuardian('/tmp')).toThrow('not the path of a run folder')
    expect(() => startGuardian('relative/run-1')).toThrow('not the path of a run folder')
    const guardian = startGuardian(folder)
    // Pids that cannot exist: above the kernel's limit.
    for (let pid = 0; pid < 1_024; pid++) guardian.watch(2 ** 30 + pid)
    expect(() => guardian.watch(2 ** 30 + 1_024)).toThrow('1024')
    await guardian.stop()
  })
})
