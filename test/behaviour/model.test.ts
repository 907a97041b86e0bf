/** Model-based: real pools along paths of the model, until every transition of it was taken. G8. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { poolModel } from '../../src/testing/index.ts'
import { browserPool, plainPool } from '../support/pool-under-test.ts'
import { addMatchers } from '../support/troupe-matchers.ts'

addMatchers()

const folder = mkdtempSync(join(tmpdir(), 'pool-model-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('a real pool goes where the model goes', () => {
  const model = poolModel({ workers: 1 })

  test.each(model.transitionPaths())('$description', async (path) => {
    await using setup = plainPool({ workers: 1 })
    const states: string[] = []
    await model.walk(path, setup.pool, { check: ({ state }) => void states.push(state) })
    expect(states).toEqual(path.steps.map(({ state }) => state))
  })
  test('and every transition was taken', () => {
    expect(model.coverage().missing).toEqual([])
  })
  test('through other sizes, too', async () => {
    const wide = poolModel({ workers: 1, sizes: [1, 2] })
    const [path] = wide.shortestPaths({
      to: 'paused',
      through: ({ event }) => event.type !== 'stop',
    })
    const sizes = wide.pathBy([0, 3, 4, 5])
    expect(sizes.steps.map(({ workers }) => workers)).toContain(2)
    for (const way of [path, sizes]) {
      if (way === undefined) throw new Error('no path')
      await using setup = plainPool({ workers: 1 })
      await wide.walk(way, setup.pool)
    }
  })
})

test('the session of a worker has a trace of its own, and it conforms', async () => {
  const trace = join(folder, 'browser.jsonl')
  await using setup = browserPool({ trace })
  const pool = setup.pool.start()
  await pool.run('title', 'data:text/html,<title>traced</title>')
  await pool.shutdown()
  expect(trace).toConformTo('worker')
  expect(join(folder, 'browser.worker-1.1.jsonl')).toConformTo('session')
})

test('tasks settle exactly once, and the trace of it conforms', async () => {
  const trace = join(folder, 'trace.jsonl')
  await using setup = plainPool({ workers: 2, trace })
  const pool = setup.pool.start()
  const handles = [
    pool.submit('echo', 1),
    pool.submit('wait', 60_000),
    pool.submit('fail', null as never, { attempts: 2 }),
  ]
  const settled = expect(handles).toSettleExactlyOnce({ pool, within: 20_000 })
  await handles[0]?.outcome()
  handles[1]?.cancel()
  await settled
  await pool.shutdown()
  expect(trace).toConformTo()
  for (const machine of ['pool', 'supervisor', 'worker', 'task', 'shutdown'] as const) {
    expect(trace).toConformTo(machine)
  }
})
