/** `troupe run --store`: a run whose process is killed goes on where it was. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const TASKS = fileURLToPath(new URL('./cli-run.tasks.ts', import.meta.url))
const LIMIT_MS = 20_000
const LOOK_MS = 5

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-cli-store-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function troupe(...more: readonly string[]): ChildProcess {
  const args = [
    'run',
    'jobs.jsonl',
    '--tasks',
    TASKS,
    '--task',
    'gated',
    '-n',
    '2',
    '--store',
    'jobs.db',
  ]
  return spawn(process.execPath, [MAIN, ...args, ...more], { cwd: folder, stdio: 'ignore' })
}

function linesOf(name: string): string[] {
  const path = join(folder, name)
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : []
}

async function until(isIt: () => boolean): Promise<void> {
  const untilMs = performance.now() + LIMIT_MS
  while (!isIt()) {
    if (performance.now() > untilMs) throw new Error('it does not come')
    await delay(LOOK_MS)
  }
}

describe('troupe run --store', () => {
  it('goes on after kill -9: every job has one result, and a start that was lost counts', async () => {
    const [log, gate] = [join(folder, 'log'), join(folder, 'gate')]
    const jobs = ['a', 'b', 'stuck', 'c', 'd'].map((id) =>
      JSON.stringify(id === 'stuck' ? { id, log, gate } : { id, log }),
    )
    writeFileSync(join(folder, 'jobs.jsonl'), jobs.join('\n'))
    const first = troupe()
    await until(() => linesOf('results.jsonl').length === 4 && linesOf('log').includes('stuck'))
    first.kill('SIGKILL')
    await once(first, 'exit')
    writeFileSync(gate, '')
    const second = troupe()
    expect(await once(second, 'exit')).toEqual([0, null])
    const results = linesOf('results.jsonl').map(
      (line) => JSON.parse(line) as { id: string; status: string; attempts: number },
    )
    expect(results.map(({ id }) => id).toSorted()).toEqual(['a', 'b', 'c', 'd', 'stuck'])
    expect(results.every(({ status }) => status === 'succeeded')).toBe(true)
    expect(results.find(({ id }) => id === 'stuck')?.attempts).toBe(2)
    expect(linesOf('log').toSorted()).toEqual(['a', 'b', 'c', 'd', 'stuck', 'stuck'])
  })

  it('writes down a result that was only in the store, without running the job again', async () => {
    const log = join(folder, 'log')
    writeFileSync(join(folder, 'jobs.jsonl'), JSON.stringify({ id: 'a', log }))
    expect(await once(troupe(), 'exit')).toEqual([0, null])
    rmSync(join(folder, 'results.jsonl'))
    expect(await once(troupe(), 'exit')).toEqual([0, null])
    expect(linesOf('results.jsonl')).toHaveLength(1)
    expect(linesOf('log')).toEqual(['a'])
  })
})
