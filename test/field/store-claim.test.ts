/** What a host does to the file of its own store while the pool runs: it copies it, and it deletes it. */
import { expect, test, vi } from 'vitest'
import { stranger } from './support/stranger.ts'

const FILES = {
  'tasks.mjs': `
    import { defineTasks, task } from 'troupe'
    export default defineTasks({ echo: task({ browser: false }, ({ payload }) => payload) })
  `,
  'pool.mjs': `
    import { createPoolActor } from 'troupe'
    export const begin = (store) => createPoolActor({
      tasks: new URL('./tasks.mjs', import.meta.url), workers: 1, store, logger: 'silent',
    }).start()
    export const say = (facts) => console.log(JSON.stringify(facts))
  `,
  'second.mjs': `
    import { begin, say } from './pool.mjs'
    const pool = begin(process.argv[2])
    const word = await pool.run('echo', 'ran').catch((error) => error.cause?.code ?? error.code)
    say(word)
    await pool.shutdown()
  `,
}
// Up to five programs, one after the other, on a machine that has other things to do.
vi.setConfig({ testTimeout: 100_000 })
const run = (main: string) => stranger({ ...FILES, 'main.mjs': main }, { timeoutMs: 90_000 })

// From outside: after `fs.cp` of the folder a second process owned the same queue.
test('copies the folder of the store for a backup, and starts a second process by mistake', async () => {
  const { code, lines, stderr } = await run(`
    import { execFileSync } from 'node:child_process'
    import { cpSync, mkdirSync, symlinkSync } from 'node:fs'
    import { begin, say } from './pool.mjs'
    const second = (path) => JSON.parse(execFileSync(process.execPath, ['second.mjs', path]))
    mkdirSync('data')
    symlinkSync('data', 'link')
    const pool = begin('data/pool.db')
    await pool.run('echo', 1)
    cpSync('data', 'copy', { recursive: true })
    say([second('data/pool.db'), second('link/pool.db'), second('copy/pool.db')])
    say(await pool.run('echo', 2))
    await pool.shutdown()
    say(second('data/pool.db'))
  `)
  expect({ code, lines }, stderr).toEqual({
    code: 0,
    lines: [['STORE_LOCKED', 'STORE_LOCKED', 'ran'], 2, 'ran'],
  })
})

test('deletes the store while the pool runs, writes down what was in it, and starts again', async () => {
  const { code, lines, stderr } = await run(`
    import { once } from 'node:events'
    import { renameSync, rmSync } from 'node:fs'
    import { begin, say } from './pool.mjs'
    const pool = begin('pool.db')
    await pool.run('echo', 0, { id: 'before' })
    pool.pause()
    const waiting = pool.submit('echo', 1, { id: 'waiting' })
    const lost = new Promise((resolve) => pool.on('store.lost', ({ error }) => resolve(error.code)))
    rmSync('pool.db')
    say([await lost, pool.status().alerts.map(({ code }) => code)])
    try { pool.submit('echo', 2) } catch (error) { say(error.code) }
    await pool.backup('rescued.db')
    pool.resume()
    say((await waiting.outcome()).status)
    await pool.shutdown()
    renameSync('rescued.db', 'pool.db')
    const again = begin('pool.db')
    say([(await (await again.find('waiting')).outcome()).status, (await again.find('before')).id])
    await again.shutdown()
  `)
  expect({ code, lines }, stderr).toEqual({
    code: 0,
    lines: [['STORE_LOST', ['STORE_LOST']], 'STORE_LOST', 'succeeded', ['succeeded', 'before']],
  })
})
