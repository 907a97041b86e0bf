/**
 * What users bring beside their task file: plug-ins with types of their own, and the worker script. With
 * real processes.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, expectTypeOf, test, vi } from 'vitest'
import { createPoolActor, type PoolOptions } from '../../src/index.ts'
import { nextEvent, PLAIN_TASKS, plainPool, poolUnderTest } from '../support/pool-under-test.ts'

const fixture = (name: string) => new URL(`../fixtures/task-types/${name}`, import.meta.url)
/** For what must come, on a machine that may be busy. */
const PATIENT = { timeout: 30_000 }
let folder = ''

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-plug-ins-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('plug-ins', () => {
  const pool = (...plugins: string[]) => plainPool({ plugins: plugins.map(fixture) })

  test('bring types with their schemas and handlers', async () => {
    await using troupe = pool('plug-in.ts')
    troupe.pool.start()
    const text = await troupe.pool.run('acme.repeat', { text: 'ab' })
    expectTypeOf(text).toEqualTypeOf<string>()
    expect(text).toBe('abab')
    expect(await troupe.pool.run('acme.repeat', { text: 'a', times: 3 })).toBe('aaa')
    expect(await troupe.pool.run('acme.halve', 6)).toEqual({ half: 3, attempt: 1 })
    await expect(troupe.pool.run('acme.halve', 3)).rejects.toMatchObject({
      code: 'PAYLOAD_INVALID',
      message: 'acme.halve: payload must be even',
      task: { name: 'acme.halve', payload: 3 },
    })
    const wrong = { text: 1, times: 0 } as unknown as { text: string }
    await expect(troupe.pool.run('acme.repeat', wrong)).rejects.toMatchObject({
      message: expect.stringMatching(/payload\.text .*payload\.times /),
    })
  })

  test.each<[string, string[], RegExp]>([
    ['a name that is taken', ['plug-in.ts', 'plug-in-clash.ts'], /already a type "acme.halve"/],
    ['no type', ['jobs.ts'], /exports no task type/],
    ['no file', ['missing.ts'], /missing\.ts did not load/],
  ])('with %s are refused by name', (_, plugins, message) => {
    const options: PoolOptions = { tasks: PLAIN_TASKS, plugins: plugins.map(fixture) }
    expect(() => createPoolActor(options)).toThrow(message)
  })

  test('whose schema answers later are checked in the worker', async () => {
    await using troupe = pool('plug-in-late.ts')
    troupe.pool.start()
    expect(await troupe.pool.run('acme.late' as 'echo', 1)).toBe(1)
    const outcome = await troupe.pool.submit('acme.late' as 'echo', 'x').outcome()
    expect(outcome).toMatchObject({
      status: 'failed',
      attempts: 1,
      error: { code: 'PAYLOAD_INVALID', message: 'acme.late: payload must be a number' },
    })
  })

  test('and built-in types are clear of the task file', async () => {
    await using troupe = poolUnderTest({ tasks: fixture('taken-name.ts'), workers: 1 })
    const failed = nextEvent(troupe.pool as never, 'worker.failed')
    troupe.pool.start()
    expect(await failed).toMatchObject({
      error: { message: expect.stringContaining('"http-request", which is a built-in type') },
    })
  })
})

describe('a worker script', () => {
  test('runs before the task file, and at the end', async () => {
    const trace = join(folder, 'script')
    process.env['TROUPE_SCRIPT_TRACE'] = trace
    try {
      await using troupe = poolUnderTest<typeof import('../fixtures/task-types/script-tasks.ts')>({
        tasks: fixture('script-tasks.ts'),
        workerScript: fixture('worker-script.ts'),
        workers: 1,
      })
      troupe.pool.start()
      expect(await troupe.pool.run('greeting', null)).toBe('hello from worker-1')
      await troupe.pool.shutdown()
      expect(readFileSync(trace, 'utf8')).toBe('setup worker-1.1\nteardown worker-1.1\n')
    } finally {
      delete process.env['TROUPE_SCRIPT_TRACE']
    }
  })

  test.each([
    ['worker-script-fails.ts', /worker-script-fails\.ts failed in setup: no licence/],
    ['missing.ts', /missing\.ts did not load/],
  ])('%s keeps the pool from starting, for good and by name', async (name, message) => {
    await using troupe = plainPool({ workerScript: fixture(name) })
    troupe.pool.start()
    await vi.waitFor(() => expect(troupe.pool.status().state).toBe('error'), PATIENT)
    expect(troupe.pool.status()).toMatchObject({
      processesStarted: 1,
      lastError: expect.stringMatching(message),
    })
  })
})
