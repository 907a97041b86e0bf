/** The session in the child process, with a scripted browser: launches, losses, logins, tabs, aborts. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { OPEN_LIMIT_MS } from '../../src/child/browser/tab-set.ts'
import { type FakeScript, fakeBrowserUrl } from '../support/fake-browser.ts'
import { Harness, vanished } from './child-harness.ts'
import { UNKILLABLE_BROWSER } from './unkillable-browser.ts'

const WITH_LOGIN = new URL('./child-tasks/session.ts', import.meta.url)
const WITHOUT_LOGIN = new URL('./child-tasks/no-login.ts', import.meta.url)
interface Where {
  tabId: number
  browserId: number
  browserPid: number
  resets: number
  logins: number
  checks: number
}
interface Options {
  readonly tasks?: URL
  readonly concurrency?: number
  readonly isolation?: 'session' | 'context'
  readonly launchTimeoutMs?: number
}
let harness: Harness

afterEach(async () => {
  vi.unstubAllEnvs()
  await harness.dispose()
})

function start(script: FakeScript = {}, options: Options = {}) {
  const { tasks = WITHOUT_LOGIN, concurrency = 1, ...rest } = options
  harness = new Harness(tasks, { concurrency })
  return harness.spec({ executablePath: '/no/browser', driver: fakeBrowserUrl(script), ...rest })
}

function open(script: FakeScript = {}, options: Options = {}) {
  const spec = start(script, options)
  return harness.open(spec)
}

async function where(taskId: string): Promise<Where> {
  harness.run(taskId, 'where')
  const end = await harness.ended(taskId)
  expect(end.verdict).toBe('ok')
  return end.value as Where
}

describe('a port of the session that throws', () => {
  it('ends the process, which says why; its browser goes with it', async () => {
    const spec = start({}, { launchTimeoutMs: 300 })
    await harness.report('loaded')
    harness.order({ kind: 'open', launch: { ...spec, driver: UNKILLABLE_BROWSER } })
    const { fields } = await harness.report('log', ({ level }) => level === 'error')
    expect(JSON.stringify(fields)).toContain('session: browser.kill failed')
    expect(await harness.exited).toMatchObject({ code: 70 })
  })
})

describe('launch', () => {
  it.each([
    ['missing', true, 'BROWSER_NOT_FOUND'],
    ['denied', true, 'BROWSER_NOT_FOUND'],
    ['fail', false, 'WORKER_START_FAILED'],
  ] as const)('%s: permanent is %s', async (launch, permanent, code) => {
    const spec = start({ launch })
    await harness.report('loaded')
    harness.order({ kind: 'open', launch: spec })
    expect(await harness.report('sessionFailed')).toMatchObject({ permanent, error: { code } })
  })

  it('that hangs fails at its limit and leaves no process', async () => {
    const spec = start({ launch: 'hang' }, { launchTimeoutMs: 200 })
    await harness.report('loaded')
    harness.order({ kind: 'open', launch: spec })
    const { error, permanent } = await harness.report('sessionFailed')
    expect(error.message).toContain('did not start in time')
    expect(permanent).toBe(false)
    await vanished(harness.browsers(), 1_000)
    harness.order({ kind: 'close' })
    expect(await harness.exited).toEqual({ code: 0, signal: null })
  })

  it('refuses the tasks of a session that has failed', async () => {
    const spec = start({ launch: 'fail' })
    await harness.report('loaded')
    harness.order({ kind: 'open', launch: spec })
    await harness.report('sessionFailed')
    harness.run('t', 'where')
    expect(await harness.ended('t')).toMatchObject({
      verdict: 'retryable',
      error: { code: 'BROWSER_LOST' },
    })
  })

  it('orders to close while it hangs end the process', async () => {
    const spec = start({ launch: 'hang' })
    await harness.report('loaded')
    harness.order({ kind: 'open', launch: spec })
    await vi.waitFor(() => expect(harness.browsers()).toHaveLength(1))
    const pids = harness.browsers()
    harness.order({ kind: 'close' })
    expect(await harness.exited).toEqual({ code: 0, signal: null })
    await vanished(pids, 1_000)
  })
})

describe('a lost browser', () => {
  it('fails its task, and the next one runs on another in the same process', async () => {
    const { browserPid } = await open()
    harness.run('t1', 'killBrowser')
    harness.run('t2', 'where')
    expect(await harness.ended('t1')).toMatchObject({
      verdict: 'retryable',
      error: { code: 'BROWSER_LOST' },
    })
    expect(await harness.report('browserLost')).toMatchObject({ browserPid })
    const { value } = await harness.ended('t2')
    const second = value as Where
    expect(second.browserId).toBe(2)
    expect(harness.all('sessionReady').map((ready) => ready.browserPid)).toEqual([
      browserPid,
      second.browserPid,
    ])
    expect(harness.all('ended')).toHaveLength(2)
    await vanished([browserPid ?? 0], 1_000)
  })

  it('is started anew up to a limit', async () => {
    await open({ relaunchFailures: 2 })
    harness.run('t1', 'killBrowser')
    expect((await where('t2')).browserId).toBe(4)
  })

  it('that cannot be started anew fails the session, and what waits', async () => {
    await open({ relaunchFailures: 3 })
    harness.run('t1', 'killBrowser')
    harness.run('t2', 'where')
    expect(await harness.ended('t2')).toMatchObject({ verdict: 'retryable' })
    const { error, permanent } = await harness.report('sessionFailed')
    expect(error.message).toContain('could not be started again')
    expect(permanent).toBe(false)
  })

  it('loses its login too: it is done again before the next task', async () => {
    await open({}, { tasks: WITH_LOGIN })
    harness.run('t1', 'killBrowser')
    expect((await where('t2')).logins).toBe(2)
    expect(harness.all('login')).toHaveLength(2)
  })
})

describe('tabs', () => {
  it('are used again after a reset', async () => {
    await open()
    const first = await where('t1')
    const second = await where('t2')
    expect(second.tabId).toBe(first.tabId)
    expect(second.resets).toBe(1)
  })

  it('are never used again in isolation context, and the next is open before it is asked for', async () => {
    await open({}, { isolation: 'context' })
    const ids = [await where('t1'), await where('t2'), await where('t3')].map(({ tabId }) => tabId)
    expect(new Set(ids).size).toBe(3)
  })

  it.each(['fail', 'hang'] as const)('are replaced when their reset should %s', async (reset) => {
    await open({ reset })
    const first = await where('t1')
    const second = await where('t2')
    expect(second.tabId).not.toBe(first.tabId)
    expect(second.browserId).toBe(first.browserId)
  })

  it('that do not answer, of a browser that does not either, cost the browser, and soon', async () => {
    await open({ reset: 'hang', probe: 'hang' })
    await where('t1')
    const beganMs = performance.now()
    expect((await where('t2')).browserId).toBe(2)
    expect(performance.now() - beganMs).toBeLessThan(OPEN_LIMIT_MS)
    expect(harness.all('browserLost')).toHaveLength(1)
  })

  it('that crash fail their task alone', async () => {
    await open({}, { concurrency: 2 })
    harness.run('t1', 'wait', 100)
    harness.run('t2', 'crash')
    expect(await harness.ended('t2')).toMatchObject({
      verdict: 'retryable',
      error: { code: 'BROWSER_LOST' },
    })
    expect(await harness.ended('t1')).toMatchObject({ verdict: 'ok' })
    expect(harness.all('browserLost')).toHaveLength(0)
    expect((await where('t3')).browserId).toBe(1)
  })

  it('as many as may work at once', async () => {
    await open({}, { concurrency: 2 })
    for (const id of ['t1', 't2', 't3']) harness.run(id, 'wait', 50)
    const ends = await Promise.all(['t1', 't2', 't3'].map((id) => harness.ended(id)))
    expect(new Set(ends.map(({ value }) => value)).size).toBe(2)
  })

  it('download into the folder of their task', async () => {
    await open()
    harness.run('t', 'fetch')
    const { value } = await harness.ended('t')
    expect((value as { name: string }[]).map(({ name }) => name)).toEqual([
      'order.csv',
      'order-2.csv',
    ])
  })

  it('are not needed by a task without a browser', async () => {
    await open()
    harness.run('t1', 'deaf')
    await harness.report('started')
    harness.run('t2', 'plain', 5)
    expect((await harness.ended('t2')).value).toBe(5)
  })
})

describe('login', () => {
  it('is done once before the session is ready', async () => {
    await open({}, { tasks: WITH_LOGIN })
    expect(harness.all('login')).toHaveLength(1)
    expect((await where('t1')).logins).toBe(1)
    expect((await where('t2')).logins).toBe(1)
  })

  it('is done again when a task finds it gone, and that task is released', async () => {
    await open({}, { tasks: WITH_LOGIN })
    harness.run('t1', 'logOutOnce', 'key')
    expect(await harness.ended('t1')).toMatchObject({ verdict: 'released' })
    harness.run('u1', 'logOutOnce', 'key')
    expect(await harness.ended('u1')).toMatchObject({ verdict: 'ok', value: 2 })
  })

  it('that does not help a task makes it fail in the end', async () => {
    await open({}, { tasks: WITH_LOGIN })
    for (let round = 1; round <= 4; round += 1) {
      harness.run('t', 'logOut', null, round)
      const end = await harness.ended('t', round)
      expect(end.verdict).toBe(round < 4 ? 'released' : 'retryable')
    }
  })

  it('is done again when the check finds it gone', async () => {
    await open({}, { tasks: WITH_LOGIN })
    harness.run('t1', 'logOutSilently')
    await harness.ended('t1')
    const after = await where('t2')
    expect(after.logins).toBe(2)
    expect(after.checks).toBeGreaterThan(0)
  })

  it('waits for the attempts under way, and is done once for all', async () => {
    await open({}, { tasks: WITH_LOGIN, concurrency: 2 })
    harness.run('t1', 'wait', 100)
    harness.run('t2', 'logOutOnce', 'key')
    harness.run('t3', 'where')
    const third = await harness.ended('t3')
    expect((third.value as Where).logins).toBe(2)
    const order = harness.all('ended').map(({ taskId }) => taskId)
    expect(order).toEqual(['t2', 't1', 't3'])
  })

  it('that fails is tried again, then fails the session', async () => {
    vi.stubEnv('FAKE_LOGIN', 'fail')
    const spec = start({}, { tasks: WITH_LOGIN })
    await harness.report('loaded')
    harness.order({ kind: 'open', launch: spec })
    const { error, permanent } = await harness.report('sessionFailed')
    expect(error).toMatchObject({
      code: 'WORKER_START_FAILED',
      message: 'The login hook failed. wrong password',
    })
    expect(permanent).toBe(false)
    expect(harness.all('log').filter(({ message }) => message === 'logging in')).toHaveLength(2)
  })
})

describe('abort', () => {
  it('interrupts a tab that hangs; the next task runs in the same browser', async () => {
    await open()
    harness.run('t1', 'hang')
    await harness.report('started')
    harness.abort('t1', 10)
    expect(await harness.ended('t1')).toMatchObject({ verdict: 'cancelled' })
    expect(await where('t2')).toMatchObject({ browserId: 1, tabId: 1 })
  })

  it('closes a tab that cannot be interrupted', async () => {
    await open({ interrupt: 'hang' })
    harness.run('t1', 'hang')
    await harness.report('started')
    harness.abort('t1', 10)
    expect(await harness.ended('t1')).toMatchObject({ verdict: 'cancelled' })
    expect(await where('t2')).toMatchObject({ browserId: 1, tabId: 2 })
  })

  it('starts a browser anew that does not answer, and reports no end of a handler that goes on', async () => {
    await open({ probe: 'fail' })
    harness.run('t1', 'deaf')
    await harness.report('started')
    harness.abort('t1', 10)
    await harness.report('browserLost')
    expect((await where('t2')).browserId).toBe(2)
    expect(harness.all('ended').map(({ taskId }) => taskId)).toEqual(['t2'])
  })

  it('of an attempt that still waits for a tab ends it at once', async () => {
    await open()
    harness.run('t1', 'wait', 100)
    harness.run('t2', 'where')
    harness.abort('t2', 10)
    expect(await harness.ended('t2')).toMatchObject({ verdict: 'cancelled', runMs: 0 })
    expect(await harness.ended('t1')).toMatchObject({ verdict: 'ok' })
    expect(harness.all('started').map(({ taskId }) => taskId)).toEqual(['t1'])
  })
})

describe('the end', () => {
  it('closes the browser and exits with 0', async () => {
    const { browserPid } = await open()
    harness.order({ kind: 'close' })
    expect(await harness.exited).toEqual({ code: 0, signal: null })
    await vanished([browserPid ?? 0], 1_000)
  })

  it.each(['fail', 'hang'] as const)('kills a browser whose close should %s', async (close) => {
    const { browserPid } = await open({ close })
    harness.order({ kind: 'close' })
    expect(await harness.exited).toEqual({ code: 0, signal: null })
    await vanished([browserPid ?? 0], 1_000)
  })

  it('takes the browser along when the pool is gone', async () => {
    const { browserPid } = await open()
    harness.channel.destroy()
    await vanished([harness.process.pid ?? 0, browserPid ?? 0], 2_000)
  })
})
