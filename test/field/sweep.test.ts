/** What a user keeps beside the pool's folders, under names that look like its own: a start leaves it. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { stranger } from './support/stranger.ts'

const FILES = {
  'tasks.mjs': `
    import { defineTasks, task } from 'troupe'
    export default defineTasks({ echo: task({ browser: false }, ({ payload }) => payload) })
  `,
  'main.mjs': `
    import { createPoolActor } from 'troupe'
    await using pool = createPoolActor({
      tasks: new URL('./tasks.mjs', import.meta.url), workers: 1, runFolder: process.env.RUNS,
    }).start()
    console.log(JSON.stringify(await pool.run('echo', 'ran')))
    if (process.env.DIES) process.kill(process.pid, 'SIGKILL')
  `,
}
let home = ''
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'field-sweep-'))
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

// From outside: `runFolder: 'my'` with `my/run-202511290058` (12 digits look like a run's own) was gone.
test('keeps runs of its own, dated to the minute, in the folder it names as runFolder', async () => {
  const runs = join(home, 'my')
  mkdirSync(join(runs, 'run-202511290058', 'results'), { recursive: true, mode: 0o700 })
  writeFileSync(join(runs, 'run-202511290058', 'results', 'orders.csv'), 'a;b')
  mkdirSync(join(runs, '.run-202511290059'), { mode: 0o700 })
  // What was made a minute ago was spared even so.
  for (const name of readdirSync(runs)) utimesSync(join(runs, name), new Date(0), new Date(0))
  const before = readdirSync(runs, { recursive: true }).sort()
  for (const round of [1, 2]) {
    const run = await stranger(FILES, { env: { RUNS: runs } })
    expect(run, `round ${round}`).toMatchObject({ code: 0, lines: ['ran'] })
  }
  expect(readdirSync(runs, { recursive: true }).sort()).toEqual(before)
  expect(readFileSync(join(runs, 'run-202511290058', 'results', 'orders.csv'), 'utf8')).toBe('a;b')
})

test('has links to its folders beside the runs of a pool that was killed', async () => {
  const runs = join(home, 'runs')
  const mine = join(home, 'mine')
  for (const folder of [runs, mine]) mkdirSync(folder, { mode: 0o700 })
  writeFileSync(join(mine, 'orders.csv'), 'a;b')
  utimesSync(mine, new Date(0), new Date(0))
  symlinkSync(mine, join(runs, 'run-0123456789ab'))
  const killed = await stranger(FILES, { env: { RUNS: runs, DIES: '1' } })
  expect(killed).toMatchObject({ signal: 'SIGKILL', lines: ['ran'] })
  expect(await stranger(FILES, { env: { RUNS: runs } })).toMatchObject({ code: 0, lines: ['ran'] })
  expect(readdirSync(runs)).toEqual(['run-0123456789ab'])
  expect(readdirSync(mine)).toEqual(['orders.csv'])
})
