/**
 * `troupe run` as a user runs it: a process of its own, real files, real workers, real signals.
 * What it says is read from its stdout, its stderr, its exit status and its results; what it
 * leaves, from the operating system.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const TASKS = fileURLToPath(new URL('./cli-run.tasks.ts', import.meta.url))

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-cli-run-'))
})
afterEach(async () => {
  for (const command of commands.splice(0)) {
    if (command.process.exitCode === null) command.process.kill('SIGKILL')
    await command.ended
  }
  rmSync(folder, { recursive: true, force: true })
})

interface Ended {
  readonly code: number | null
  readonly signal: string | null
  readonly stdout: string
  readonly stderr: string
}

const commands: Command[] = []

class Command {
  readonly process: ChildProcess
  readonly ended: Promise<Ended>
  stdout = ''
  stderr = ''

  constructor(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const options = { cwd: folder, env: { ...process.env, ...env } }
    this.process = spawn(process.execPath, [MAIN, ...args], options)
    commands.push(this)
    this.process.stdout?.on('data', (chunk) => (this.stdout += chunk))
    this.process.stderr?.on('data', (chunk) => (this.stderr += chunk))
    this.ended = new Promise((resolve) => {
      this.process.on('close', (code, signal) => {
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr })
      })
    })
  }
}

function troupe(...args: readonly string[]): Command {
  return new Command(['run', ...args])
}

function run(...args: readonly string[]): Promise<Ended> {
  return troupe(...args).ended
}

function file(name: string, lines: readonly unknown[]): string {
  const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line)))
  writeFileSync(join(folder, name), `${text.join('\n')}\n`)
  return name
}

interface Line {
  readonly id: string
  readonly status: string
  readonly attempts: number
  readonly value?: unknown
  readonly error?: { readonly code: string; readonly message: string }
}

function linesOf(text: string): Line[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line)
}

function results(name = 'results.jsonl'): Line[] {
  return linesOf(readFileSync(join(folder, name), 'utf8'))
}

function startedIds(log: string): string[] {
  return existsSync(log) ? readFileSync(log, 'utf8').split('\n').filter(Boolean) : []
}

function ids(lines: readonly Line[]): string[] {
  return lines.map(({ id }) => id).sort()
}

const echo = ['--tasks', TASKS, '--task', 'echo', '-n', '2']

describe('troupe run', () => {
  it('runs the rows of a CSV and writes a result each', async () => {
    const jobs = file('jobs.csv', ['id,supplier', 'a,"ACME, Inc."', 'b,Ünal', 'c,'])
    const end = await run(jobs, ...echo, '--json')
    expect(end).toMatchObject({ code: 0, signal: null })
    const lines = results()
    expect(ids(lines)).toEqual(['a', 'b', 'c'])
    expect(lines.find(({ id }) => id === 'a')).toMatchObject({
      status: 'succeeded',
      attempts: 1,
      runMs: expect.any(Number) as number,
      worker: expect.stringMatching(/^worker-[12]$/) as string,
      value: { id: 'a', supplier: 'ACME, Inc.' },
    })
    const summary = JSON.parse(end.stdout) as Record<string, unknown>
    expect(summary).toMatchObject({ jobs: 3, succeeded: 3, failed: 0, exitCode: 0, resume: null })
    expect(end.stderr).toMatch(/succeeded +3/)
    expect(end.stderr).not.toContain('Run what is left')
  })

  it('keeps stdout for data: results with --out -', async () => {
    const end = await run(file('jobs.jsonl', [1, '"two"', null]), ...echo, '--out', '-')
    expect(end.code).toBe(0)
    const values = linesOf(end.stdout).map(({ value }) => value)
    expect(values.sort()).toEqual([1, null, 'two'].sort())
    expect(existsSync(join(folder, 'results.jsonl'))).toBe(false)
  })

  it('says nothing but errors when quiet', async () => {
    const end = await run(file('jobs.jsonl', [1]), ...echo, '--quiet')
    expect(end).toEqual({ code: 0, signal: null, stdout: '', stderr: '' })
  })

  it('counts what failed, without letting its message steer the terminal', async () => {
    const jobs = file('jobs.jsonl', [{ id: 'a' }])
    const end = await run(jobs, '--tasks', TASKS, '--task', 'fail', '-n', '1', '--retries', '0')
    expect(end.code).toBe(1)
    expect(results()).toMatchObject([
      { id: 'a', status: 'failed', attempts: 1, error: { code: 'TASK_FAILED' } },
    ])
    expect(end.stderr).toContain('a: TASK_FAILED after 1 attempt: as asked')
    expect(end.stderr).not.toContain('\u001b[31m')
    expect(end.stderr).toMatch(/Run what is left: node .*main\.ts run jobs\.jsonl .* --resume/)
  })

  it('retries as often as asked', async () => {
    const args = [file('jobs.jsonl', [{ id: 'a' }]), '--tasks', TASKS, '--task', 'secondTime']
    expect((await run(...args, '-n', '1', '--retries', '1')).code).toBe(0)
    expect(results()).toMatchObject([{ id: 'a', status: 'succeeded', attempts: 2, value: 2 }])
  })

  it.each([['--fail-fast'], ['--max-failures', '1']])(
    'stops at the first failure with %s',
    async (...flag) => {
      const jobs = file(
        'jobs.jsonl',
        Array.from({ length: 500 }, (_, n) => ({ id: `${n}` })),
      )
      const base = ['--tasks', TASKS, '--task', 'fail', '-n', '1', '--retries', '0', '--json']
      const end = await run(jobs, ...base, ...flag)
      expect(end.code).toBe(1)
      const summary = JSON.parse(end.stdout) as { failed: number; notRun: number }
      expect(summary.failed).toBeLessThan(20)
      expect(summary.failed + summary.notRun).toBe(500)
    },
  )

  it('has nothing to do for a file without jobs', async () => {
    expect((await run(file('jobs.jsonl', []), ...echo)).code).toBe(0)
    expect(existsSync(join(folder, 'results.jsonl'))).toBe(false)
  })

  it.runIf(existsSync('/dev/full'))('stops when the results cannot be written', async () => {
    const rows = Array.from({ length: 2_000 }, (_, n) => ({ id: `${n}`, text: 'x'.repeat(2_000) }))
    const end = await run(file('jobs.jsonl', rows), ...echo, '--out', '/dev/full', '--json')
    expect(end.code).toBe(1)
    expect(end.stderr).toContain('ENOSPC')
    expect(JSON.parse(end.stdout)).toMatchObject({ exitCode: 1, error: { code: 'TASK_FAILED' } })
    expect(existsSync('/dev/full')).toBe(true)
  })

  it('survives a reader that goes away', async () => {
    const rows = Array.from({ length: 300 }, (_, n) => ({ id: `${n}`, text: 'x'.repeat(10_000) }))
    const command = troupe(file('jobs.jsonl', rows), ...echo, '--out', '-')
    command.process.stdout?.once('data', () => command.process.stdout?.destroy())
    expect((await command.ended).code).toBe(1)
  })
})

describe('troupe run --resume', () => {
  it('runs only what has not succeeded, and tolerates a torn last line', async () => {
    const log = join(folder, 'log')
    const broken = join(folder, 'broken')
    writeFileSync(broken, '')
    const rows = ['a', 'b', 'c'].map((id) => ({ id, log, ...(id === 'b' ? { broken } : {}) }))
    const args = [file('jobs.jsonl', rows), '--tasks', TASKS, '--task', 'gated', '-n', '2']
    expect((await run(...args, '--retries', '0')).code).toBe(1)
    expect(startedIds(log).sort()).toEqual(['a', 'b', 'c'])

    rmSync(broken)
    writeFileSync(join(folder, 'results.jsonl'), '{"id":"c","sta', { flag: 'a' })
    const again = await run(...args, '--resume', '--json')
    expect(again.code).toBe(0)
    expect(JSON.parse(again.stdout)).toMatchObject({ jobs: 3, succeeded: 1, skipped: 2 })
    expect(startedIds(log).slice(3)).toEqual(['b'])
    expect(
      results()
        .map(({ id, status }) => `${id} ${status}`)
        .slice(-1),
    ).toEqual(['b succeeded'])

    const third = await run(...args, '--resume', '--json')
    expect(JSON.parse(third.stdout)).toMatchObject({ succeeded: 0, skipped: 3, exitCode: 0 })
  })

  it('knows rows without an id by their line and content', async () => {
    file('jobs.jsonl', [{ po: 1 }, { po: 2 }])
    expect((await run('jobs.jsonl', ...echo)).code).toBe(0)
    file('jobs.jsonl', [{ po: 1 }, { po: 3 }])
    const end = await run('jobs.jsonl', ...echo, '--resume', '--json')
    expect(JSON.parse(end.stdout)).toMatchObject({ skipped: 1, succeeded: 1 })
  })
})

describe('troupe run, interrupted', () => {
  /** Six jobs, two at a time, each waiting at the gate. */
  function gatedRun(...flags: readonly string[]) {
    const log = join(folder, 'log')
    mkdirSync(join(folder, 'gates'))
    const gate = join(folder, 'gates', 'open')
    const rows = ['a', 'b', 'c', 'd', 'e', 'f'].map((id) => ({ id, log, gate }))
    const args = [file('jobs.jsonl', rows), '--tasks', TASKS, '--task', 'gated', '-n', '2']
    return { log, gate, args, command: troupe(...args, '--json', ...flags) }
  }

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    'lets what runs finish after the first %s, and can be resumed',
    async (signal, code) => {
      const { log, gate, args, command } = gatedRun()
      await expect.poll(() => startedIds(log).length, { timeout: 20_000 }).toBe(2)
      command.process.kill(signal)
      await expect.poll(() => command.stderr).toContain(`${signal}: stopping; 2 under way`)
      writeFileSync(gate, '')
      const end = await command.ended
      expect(end.signal).toBe(signal)
      const summary = JSON.parse(end.stdout) as Record<string, unknown>
      expect(summary).toMatchObject({ succeeded: 2, notRun: 4, exitCode: code, signal })
      expect(startedIds(log)).toHaveLength(2)
      expect(ids(results())).toEqual(startedIds(log).sort())
      expect(end.stderr).toContain('--resume')

      expect((await run(...args, '--resume')).code).toBe(0)
      expect(ids(results())).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
      expect(startedIds(log)).toHaveLength(6)
    },
  )

  it('kills at the second Ctrl-C', async () => {
    const { log, command } = gatedRun()
    await expect.poll(() => startedIds(log).length, { timeout: 20_000 }).toBe(2)
    command.process.kill('SIGINT')
    await expect.poll(() => command.stderr).toContain('again to kill')
    command.process.kill('SIGINT')
    const end = await command.ended
    expect(end.signal).toBe('SIGINT')
    expect(JSON.parse(end.stdout)).toMatchObject({ succeeded: 0, failed: 0, notRun: 6 })
    expect(existsSync(join(folder, 'results.jsonl'))).toBe(false)
  })

  it('stops reading from a stdin that stays open', async () => {
    const log = join(folder, 'log')
    const command = troupe('-', '--tasks', TASKS, '--task', 'gated', '-n', '1', '--json')
    command.process.stdin?.write(`${JSON.stringify({ id: 'a', log })}\n`)
    await expect.poll(() => startedIds(log), { timeout: 20_000 }).toEqual(['a'])
    command.process.kill('SIGINT')
    const end = await command.ended
    expect(end.signal).toBe('SIGINT')
    expect(JSON.parse(end.stdout)).toMatchObject({ succeeded: 1 })
  })
})

describe('troupe run, misused', () => {
  async function usage(...args: readonly string[]): Promise<string> {
    const end = await run(...args)
    expect(end, end.stderr).toMatchObject({ code: 2, signal: null, stdout: '' })
    expect(existsSync(join(folder, 'results.jsonl'))).toBe(false)
    return end.stderr
  }

  it.each([
    [
      'a row that is not JSON',
      'jobs.jsonl',
      ['{"a":1}', '{"a":1,}'],
      'jobs.jsonl:2:8: is not JSON',
    ],
    [
      'a row with a field too many',
      'jobs.csv',
      ['a,b', '1,2', '1,2,3'],
      'jobs.csv:3:5: has 3 fields',
    ],
    [
      'an id used twice',
      'jobs.jsonl',
      [{ id: 1 }, { id: 1 }],
      "jobs.jsonl:2:1: has the id '1' of line 1",
    ],
  ])('starts nothing for %s', async (_, name, lines, messages) => {
    expect(await usage(file(name, lines), ...echo)).toContain(messages)
  })

  it('names what is not there', async () => {
    const jobs = file('jobs.jsonl', [1])
    expect(await usage('nope.csv', ...echo)).toContain('nope.csv: there is no such file')
    expect(await usage(jobs, '--tasks', './nope.ts', '--task', 'echo')).toContain('nope.ts')
    expect(await usage(jobs, '--tasks', TASKS, '--task', 'ehco')).toContain('ehco')
    expect(await usage(jobs, ...echo, '--workers', '65')).toContain('from 1 to 64')
    expect(await usage(jobs, ...echo, '--retry', '1')).toContain('--retries')
    expect(await usage(jobs, ...echo, '--resume', '--out', '-')).toContain('--out')
    expect(await usage(jobs, ...echo, '--out', jobs)).toContain('name another one')
  })

  it('tells why a task file does not load', async () => {
    file('broken.ts', ['import "./not-there.ts"'])
    const reported = await usage(
      file('jobs.jsonl', [1]),
      '--tasks',
      './broken.ts',
      '--task',
      'echo',
    )
    expect(reported).toContain('not-there.ts')
  })

  it('does not append to the results of another run', async () => {
    const before = file('results.jsonl', [{ id: 'a', status: 'succeeded' }])
    const end = await run(file('jobs.jsonl', [1]), ...echo)
    expect(end).toMatchObject({ code: 2 })
    expect(end.stderr).toContain('add --resume')
    expect(results(before)).toHaveLength(1)
  })

  it('exits with 3 when there is no browser', async () => {
    const tasks = fileURLToPath(new URL('../../src/tasks.ts', import.meta.url))
    file('browser.ts', [
      `import { defineTasks } from ${JSON.stringify(tasks)}`,
      'export default defineTasks({ title: async ({ page }) => page.title() })',
    ])
    const args = ['run', file('jobs.jsonl', [1]), '--tasks', './browser.ts', '--task', 'title']
    const end = await new Command(args, { PUPPETEER_EXECUTABLE_PATH: '/nowhere/chrome' }).ended
    expect(end.code).toBe(3)
    expect(end.stderr).toContain('/nowhere/chrome')
  })

  it('takes rows from stdin as they come: a bad one fails, the others run', async () => {
    const command = troupe('-', ...echo, '--json')
    command.process.stdin?.end('{"id":"a"}\nnonsense\n{"id":"b"}\n')
    const end = await command.ended
    expect(end.code).toBe(1)
    const lines = results()
    expect(ids(lines)).toEqual(['a', 'b', 'line-2-bad'])
    expect(lines.find(({ id }) => id === 'line-2-bad')?.error).toMatchObject({
      code: 'PAYLOAD_INVALID',
      message: expect.stringContaining('stdin:2:') as string,
    })
  })

  it('refuses a stdin whose first row is broken', async () => {
    const command = troupe('-', ...echo)
    command.process.stdin?.end('nonsense\n{"id":"b"}\n')
    expect(await command.ended).toMatchObject({ code: 2 })
    expect(existsSync(join(folder, 'results.jsonl'))).toBe(false)
  })
})
