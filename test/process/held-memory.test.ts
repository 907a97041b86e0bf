/**
 * G7 in the long run: what a pool and its worker hold does not depend on how many tasks they have had.
 * The host is a process of its own: a test's has code and texts of the test runner, which come and go.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { nothingLeft, takeCensus } from '../support/census.ts'

const HOST = new URL('../fixtures/held-host.ts', import.meta.url).pathname
/** A leak of so much a task is found: less than an empty object in a list of them all. */
const MAX_GROWTH_BYTES_A_TASK = 50

test('what a pool and its worker hold does not grow with the tasks they have had', async () => {
  using census = takeCensus()
  const host = spawn(process.execPath, [HOST, census.root], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [said, [code]] = await Promise.all([text(host.stdout), once(host, 'close')])
  expect(code).toBe(0)
  const { tasks, ...grown } = JSON.parse(said) as { tasks: number; host: number; worker: number }
  expect(grown.host / tasks).toBeLessThan(MAX_GROWTH_BYTES_A_TASK)
  expect(grown.worker / tasks).toBeLessThan(MAX_GROWTH_BYTES_A_TASK)
  await nothingLeft(census, { withinMs: 2_000 })
})
