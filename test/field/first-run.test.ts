/** What a stranger does first: install the package, write ten lines, run them. */
import { expect, test } from 'vitest'
import { eachBrowser } from './support/browsers.ts'
import { stranger } from './support/stranger.ts'

const MAIN = `
import { createPoolActor } from 'troupe'
await using pool = createPoolActor({ tasks: new URL('./tasks.mjs', import.meta.url), workers: 1 }).start()
console.log(JSON.stringify(await pool.run('first', { text: 'hello' })))
`

test('a program without a browser runs its first task and leaves nothing', async () => {
  const run = await stranger({
    'main.mjs': MAIN,
    'tasks.mjs': `
      import { defineTasks, task } from 'troupe'
      export default defineTasks({ first: task({ browser: false }, ({ payload }) => payload.text) })
    `,
  })
  expect(run).toMatchObject({ code: 0, lines: ['hello'], left: [] })
})

test('what a program leaves behind is found', async () => {
  const run = await stranger(
    {
      'main.mjs': `
      import { spawn } from 'node:child_process'
      import { writeFileSync } from 'node:fs'
      import { tmpdir } from 'node:os'
      spawn('sleep', ['60'], { detached: true, stdio: 'ignore' }).unref()
      writeFileSync(tmpdir() + '/forgotten', '')
    `,
    },
    { goneWithinMs: 500 },
  )
  expect(run.code).toBe(0)
  expect(run.left).toEqual([
    expect.stringMatching(/^process \d+: sleep 60$/),
    expect.stringMatching(/forgotten$/),
  ])
})

eachBrowser('a program with a browser reads a page and leaves nothing', async ({ env }) => {
  const run = await stranger(
    {
      'main.mjs': MAIN,
      'tasks.mjs': `
        import { defineTasks } from 'troupe'
        export default defineTasks({
          first: async ({ page, payload }) => {
            await page.setContent('<title>' + payload.text + '</title>')
            return page.title()
          },
        })
      `,
    },
    { env },
  )
  expect(run).toMatchObject({ code: 0, lines: ['hello'], left: [] })
})
