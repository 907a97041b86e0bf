/** A program whose artifacts folder does not exist yet: its workers are watched over all the same. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isDeep, stranger } from './support/stranger.ts'

const TASKS = `
  import { defineTasks, task } from 'troupe'
  const plain = { browser: false }
  const kept = []
  export default defineTasks({
    stops: task(plain, ({ attempt }) => {
      if (attempt === 1) process.kill(process.pid, 'SIGSTOP')
      return { attempt }
    }),
    hoards: task(plain, ({ attempt }) => {
      if (attempt > 1) return { attempt }
      kept.push(Buffer.alloc(300 * 1024 * 1024, 1))
      return new Promise(() => {})
    }),
  })
`
const program = (task: string, options: string) => `
  import { createPoolActor } from 'troupe'
  await using pool = createPoolActor({
    tasks: new URL('./tasks.mjs', import.meta.url), workers: 1, artifacts: 'not/there/yet',
    heartbeatInterval: 250, ${options}
  }).start()
  const causes = []
  pool.on('worker.exited', ({ cause }) => causes.push(cause))
  const handle = pool.submit('${task}', null, { attempts: 2 })
  const { status, value } = await handle.outcome()
  console.log(JSON.stringify({ status, value, causes, alerts: pool.status().alerts }))
`
let home = ''
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'field-readings-'))
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

// From outside: a command whose worker was stopped (a debugger, a frozen container) hung for 11 minutes.
test('has a worker that is stopped, and writes its artifacts to a folder that is not there', async () => {
  const { code, lines, left } = await stranger(
    { 'main.mjs': program('stops', 'zombieAfter: 1_000'), 'tasks.mjs': TASKS },
    { timeoutMs: 40_000 },
  )
  expect({ code, left }).toEqual({ code: 0, left: [] })
  expect(lines).toEqual([
    { status: 'succeeded', value: { attempt: 2 }, causes: ['silent'], alerts: [] },
  ])
}, 60_000)

test('limits the memory of a worker, and writes its artifacts to a folder that is not there', async () => {
  const limit = 'maxWorkerMemoryHard: 250_000_000'
  const { code, lines, left } = await stranger(
    { 'main.mjs': program('hoards', limit), 'tasks.mjs': TASKS },
    { timeoutMs: 40_000 },
  )
  expect({ code, left }).toEqual({ code: 0, left: [] })
  expect(lines).toMatchObject([{ status: 'succeeded', causes: ['memory'] }])
}, 60_000)

// A run has no option for it: a worker that is silent for 30 s is killed.
test.runIf(isDeep)(
  'runs jobs by the command, and one of them stops its worker',
  async () => {
    const out = join(home, 'out.jsonl')
    const { code, left } = await stranger(
      {
        'main.mjs': `
          import { spawnSync } from 'node:child_process'
          import { fileURLToPath } from 'node:url'
          const command = new URL('dist/src/cli/main.js', import.meta.resolve('troupe/package.json'))
          const args = ['run', 'jobs.jsonl', '--tasks', 'tasks.mjs', '--task', 'stops', '--out', process.env.OUT]
          const options = { stdio: 'inherit' }
          process.exitCode = spawnSync(process.execPath, [fileURLToPath(command), ...args], options).status
        `,
        'jobs.jsonl': '{"id":"a"}\n',
        'tasks.mjs': TASKS,
      },
      { timeoutMs: 70_000, env: { OUT: out } },
    )
    expect({ code, left }).toEqual({ code: 0, left: [] })
    expect(JSON.parse(readFileSync(out, 'utf8'))).toMatchObject({ status: 'succeeded' })
  },
  90_000,
)
