/** The child process without a browser: loading, payloads, aborts, and how it ends. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Harness, vanished } from './child-harness.ts'

const TASKS = new URL('./child-tasks/plain.ts', import.meta.url)
let harness: Harness

afterEach(() => harness.dispose())

async function open(): Promise<Harness> {
  harness = new Harness(TASKS)
  await harness.open(null)
  return harness
}

describe('loading', () => {
  it('reports the tasks of the file', async () => {
    harness = new Harness(TASKS)
    const { tasks } = await harness.report('loaded')
    expect(tasks).toContainEqual({ name: 'echo', browser: false })
  })

  it.each([
    ['missing.ts', /missing\.ts did not load/],
    ['broken.ts', /broken\.ts did not load: .*as planned/],
    ['shapeless.ts', /shapeless\.ts must export what defineTasks\(\) returns/],
    ['handlerless.ts', /handlerless\.ts has no handler for "nothing"/],
  ])('says what is wrong with %s, for good', async (file, message) => {
    harness = new Harness(new URL(`./child-tasks/${file}`, import.meta.url))
    const { error, permanent } = await harness.report('sessionFailed')
    expect(error.code).toBe('WORKER_START_FAILED')
    expect(error.message).toMatch(message)
    expect(permanent).toBe(true)
  })
})

describe('payloads', () => {
  it.each([
    ['null', null],
    ['nested', { a: [{ b: [1n, 'two', { c: null }] }] }],
    ['a Map', new Map<unknown, unknown>([['k', new Set([1, 2])]])],
    ['a Date', new Date(86_400_000)],
    ['a Buffer', Buffer.from([0, 1, 255])],
    ['a typed array', new Float64Array([1.5, -2])],
    ['10 MB', 'x'.repeat(10_000_000)],
  ])('%s arrives as sent', async (_name, payload) => {
    await open()
    harness.run('t', 'echo', payload)
    const end = await harness.ended('t')
    expect(end.verdict).toBe('ok')
    expect(end.value).toEqual(payload)
  })

  it('a result that cannot be sent is refused by name; its neighbours arrive', async () => {
    await open()
    harness.order(
      ...(['echo', 'uncloneable', 'echo'] as const).map((name, index) => ({
        kind: 'run' as const,
        taskId: `t${index}`,
        attempt: 1,
        name,
        payload: index,
        timeoutMs: 0,
      })),
    )
    const refused = await harness.ended('t1')
    expect(refused.verdict).toBe('permanent')
    expect(refused.error?.code).toBe('PAYLOAD_INVALID')
    expect(refused.error?.message).toContain('result.nested.list[1] is a function')
    expect((await harness.ended('t0')).value).toBe(0)
    expect((await harness.ended('t2')).value).toBe(2)
  })

  it('a log line keeps its message when a field cannot be sent', async () => {
    await open()
    harness.run('t', 'unloggable')
    expect((await harness.ended('t')).verdict).toBe('ok')
    const { message, fields } = await harness.report('log')
    expect([message, fields.fn]).toEqual(['odd', '[function]'])
  })
})

describe('ends', () => {
  it('a failure is retryable, or permanent if it says so', async () => {
    await open()
    harness.run('t1', 'fail')
    harness.run('t2', 'failForGood')
    harness.run('t3', 'nowhere')
    harness.run('t4', 'expired')
    expect(await harness.ended('t1')).toMatchObject({
      verdict: 'retryable',
      error: { code: 'TASK_FAILED', message: 'as asked', name: 'TypeError' },
    })
    expect(await harness.ended('t2')).toMatchObject({ verdict: 'permanent' })
    const unknown = await harness.ended('t3')
    expect(unknown).toMatchObject({ verdict: 'permanent', error: { code: 'TASK_UNKNOWN' } })
    expect(unknown.error?.message).toContain('echo')
    expect(await harness.ended('t4')).toMatchObject({ verdict: 'retryable' })
  })

  it('a task over within a tick is not reported as started', async () => {
    await open()
    harness.run('t1', 'noop')
    harness.run('t2', 'deaf', 50)
    await harness.ended('t1')
    await harness.ended('t2')
    expect(harness.all('started').map(({ taskId }) => taskId)).toEqual(['t2'])
  })

  it('log, progress and retire are reported', async () => {
    await open()
    harness.run('t', 'talk')
    await harness.ended('t')
    expect(harness.all('log')[0]).toMatchObject({
      message: 'hello',
      taskId: 't',
      attempt: 1,
    })
    expect(harness.all('retire')[0]).toMatchObject({ reason: 'tired' })
  })

  it('artifacts stay in the folder of their task', async () => {
    await open()
    harness.run('a/../b', 'keep')
    const { value } = await harness.ended('a/../b')
    const [escape, first, second] = value as { path: string; name: string }[]
    const folder = join(harness.folder, 'artifacts')
    expect(escape?.path.startsWith(`${folder}/a_.._b-`)).toBe(true)
    expect(escape?.path).not.toContain('/../')
    expect([first?.name, second?.name]).toEqual(['same.txt', 'same-2.txt'])
    expect(readFileSync(second?.path ?? '', 'utf8')).toBe('three')
  })
})

describe('abort', () => {
  it('is cancelled when the handler heeds it', async () => {
    await open()
    harness.run('t', 'untilAborted')
    await harness.report('started')
    harness.abort('t', 1_000, 'timedOut')
    expect(await harness.ended('t')).toMatchObject({
      verdict: 'cancelled',
      error: { code: 'TASK_TIMED_OUT' },
    })
  })

  it('reports nothing until a handler that ignores it has really ended', async () => {
    await open()
    harness.run('t', 'deaf', 300)
    await harness.report('progress')
    const abortedMs = Date.now()
    harness.abort('t', 10)
    const end = await harness.ended('t')
    expect(end.verdict).toBe('cancelled')
    expect(end.value).toBeUndefined()
    expect(end.runMs).toBeGreaterThanOrEqual(295)
    expect(Date.now() - abortedMs).toBeGreaterThan(100)
  })

  it('of an attempt that has ended has no effect', async () => {
    await open()
    harness.run('t', 'echo', 1)
    await harness.ended('t')
    harness.abort('t', 10)
    harness.run('u', 'echo', 2)
    expect((await harness.ended('u')).verdict).toBe('ok')
    expect(harness.all('ended')).toHaveLength(2)
  })
})

describe('the process', () => {
  it('ends with 0 when told to close', async () => {
    await open()
    harness.order({ kind: 'close' })
    expect(await harness.exited).toEqual({ code: 0, signal: null })
  })

  it('ends with 70 after an exception nobody caught, and says so first', async () => {
    await open()
    harness.run('t', 'throwLater')
    expect(await harness.exited).toEqual({ code: 70, signal: null })
    expect(harness.all('log')[0]).toMatchObject({
      level: 'error',
      fields: { error: { message: 'from a timer' } },
    })
  })

  it('outlives a rejection nobody handled, and says so', async () => {
    await open()
    harness.run('t', 'rejectLater')
    expect(await harness.report('log')).toMatchObject({ level: 'error' })
    harness.run('u', 'echo', 2)
    expect((await harness.ended('u')).verdict).toBe('ok')
  })

  it('ignores SIGINT, ends by SIGTERM', async () => {
    await open()
    harness.process.kill('SIGINT')
    harness.run('t', 'echo', 1)
    expect((await harness.ended('t')).value).toBe(1)
    harness.process.kill('SIGTERM')
    expect(await harness.exited).toEqual({ code: null, signal: 'SIGTERM' })
  })

  it('is gone when its pool is', async () => {
    await open()
    harness.channel.destroy()
    await vanished([harness.process.pid ?? 0], 2_000)
  })

  it('ignores orders of another incarnation', async () => {
    await open()
    harness.send(6, [{ kind: 'close' }])
    expect((await harness.report('log')).message).toContain('incarnation 6 were ignored')
    harness.run('t', 'echo', 1)
    expect((await harness.ended('t')).value).toBe(1)
  })

  it('beats', async () => {
    harness = new Harness(TASKS, { heartbeatMs: 20 })
    const { rssBytes } = await harness.report('heartbeat')
    expect(rssBytes).toBeGreaterThan(1_000_000)
  })
})
