/**
 * What is written for macOS and Windows, as far as it can be run here: the paths that do without
 * /proc ask `ps`, which is here too, and `taskkill` and PowerShell are scripts that do as theirs do.
 * The systems themselves are not tested.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { readMemory } from '../../src/monitor/memory.ts'
import { busyRatio, readProcessorTimes } from '../../src/monitor/processor.ts'
import { readTreePss } from '../../src/monitor/tree.ts'
import {
  browsersOn,
  descendantsOf,
  isAlive,
  killGroup,
  processesUnder,
} from '../../src/process/process-group.ts'

const children: ChildProcess[] = []
let tools = ''

beforeAll(() => {
  tools = mkdtempSync(join(tmpdir(), 'troupe-tools-'))
  tool('taskkill', 'kill -9 "$2" 2>/dev/null || exit 128')
  tool('powershell', 'ps -axww -o pid=,ppid=,command=')
})
afterAll(() => rmSync(tools, { recursive: true, force: true }))
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

function tool(name: string, script: string): void {
  writeFileSync(join(tools, name), `#!/bin/sh\n${script}\n`)
  chmodSync(join(tools, name), 0o755)
}

function on(platform: NodeJS.Platform): void {
  vi.spyOn(process, 'platform', 'get').mockReturnValue(platform)
  if (platform !== 'win32') return
  vi.stubEnv('PATH', `${tools}${delimiter}${process.env['PATH']}`)
}

/** A process with a child, whose command line has the text. */
async function parentWith(text: string): Promise<ChildProcess & { readonly pid: number }> {
  const script = 'setInterval(() => {}, 1000); console.log(1)'
  const child = spawn(
    '/bin/sh',
    ['-c', `"$0" -e '${script}' -- "$1" & wait`, process.execPath, text],
    {
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  children.push(child)
  await once(child.stdout as NonNullable<typeof child.stdout>, 'data')
  return child as ChildProcess & { readonly pid: number }
}

describe.each(['darwin', 'win32'] as const)('without /proc, as on %s', (platform) => {
  test('processes are found by their command line, and so are their children', async () => {
    const mark = `--user-data-dir=/nowhere/${platform}-profile`
    const parent = await parentWith(mark)
    on(platform)
    const found = processesUnder(mark).pids
    const [child = 0] = descendantsOf(parent.pid)
    expect(found.toSorted()).toEqual([parent.pid, child].toSorted())
    expect(browsersOn(`/nowhere/${platform}-profile`).pids.toSorted()).toEqual(found.toSorted())
    process.kill(-parent.pid, 'SIGKILL')
    await once(parent, 'exit')
  })

  test('memory and processors are read as Node tells them, a tree of processes not at all', async () => {
    on(platform)
    const before = readProcessorTimes()
    const memory = readMemory()
    expect(memory.source).toBe('physical')
    expect(memory.ratio).toBeGreaterThan(0)
    expect(memory.ratio).toBeLessThan(1)
    expect(await readTreePss(process.pid)).toBe(0)
    await expect.poll(() => busyRatio(before, readProcessorTimes())).not.toBeNull()
  })
})

test('on Windows a process is ended by force with its tree, and one that is gone is gone', async () => {
  const parent = await parentWith('whatever')
  on('win32')
  const exited = once(parent, 'exit')
  expect(isAlive(parent.pid)).toBe(true)
  expect(killGroup(parent.pid, 'SIGTERM')).toBe(true)
  await exited
  expect(killGroup(parent.pid, 'SIGTERM')).toBe(false)
  vi.restoreAllMocks()
  process.kill(-parent.pid, 'SIGKILL')
})

test('on macOS a group of zombies only, which may not be signalled, counts as gone', () => {
  const refused = Object.assign(new Error('kill EPERM'), { code: 'EPERM' })
  vi.spyOn(process, 'kill').mockImplementation(() => {
    throw refused
  })
  on('darwin')
  expect(killGroup(12_345, 'SIGKILL')).toBe(false)
  on('linux')
  expect(() => killGroup(12_345, 'SIGKILL')).toThrow(/EPERM/)
})
