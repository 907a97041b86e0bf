/** G6. Named sessions through a whole pool, with real Chromiums and a portal that counts what is asked of it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { PoolOptions } from '../../src/index.ts'
import { makeBaseProfile } from '../support/base-profile.ts'
import { type MemberPortal, openMemberPortal } from '../support/member-portal.ts'
import { poolUnderTest } from '../support/pool-under-test.ts'

type Tasks = typeof import('../fixtures/session-tasks.ts')
let portal: MemberPortal

beforeAll(async () => {
  portal = await openMemberPortal()
})
afterAll(() => portal[Symbol.asyncDispose]())

function sessionPool(options: Partial<PoolOptions> = {}, profiles: readonly string[] = []) {
  const tasks = new URL('../fixtures/session-tasks.ts', import.meta.url)
  tasks.searchParams.set('base', portal.url)
  for (const profile of profiles) tasks.searchParams.append('profile', profile)
  portal.logins.clear()
  return poolUnderTest<Tasks>({ tasks, workers: 1, ...options })
}

test('two sessions on two workers: one login each, and nobody is taken for another', async () => {
  await using troupe = sessionPool({ workers: 2 })
  const { pool } = troupe
  pool.start()
  const wanted = Array.from({ length: 24 }, (_, index) => (index % 2 === 0 ? 'ada' : 'bob'))
  const seen = await Promise.all(
    wanted.map((session) => pool.run('me', session, { session, attempts: 1 })),
  )
  expect(seen.map(({ name, title }) => [name, title])).toEqual(wanted.map((name) => [name, name]))
  expect(Object.fromEntries(portal.logins)).toEqual({ ada: 1, bob: 1 })
  const status = pool.status()
  expect(status.workers.map(({ session }) => session).sort()).toEqual(['ada', 'bob'])
  expect(status.logins).toBe(2)
  expect(status.sessions).toMatchObject([
    { name: 'default', logins: 0, workers: [] },
    { name: 'ada', logins: 1, workers: [expect.stringMatching(/^worker-[12]$/)] },
    { name: 'bob', logins: 1, workers: [expect.stringMatching(/^worker-[12]$/)] },
    { name: 'carl', logins: 0, workers: [] },
    { name: 'unreadable', logins: 0, workers: [] },
    { name: 'locked', logins: 0, workers: [] },
  ])
})

test('two sessions on one worker, in turns: each task ends, in its own session', async () => {
  await using troupe = sessionPool()
  const { pool } = troupe
  pool.start()
  for (const session of ['ada', 'bob']) {
    expect(await pool.run('me', session, { session, attempts: 1 })).toMatchObject({
      name: session,
      title: session,
    })
  }
  const together = ['ada', 'bob', 'ada', 'bob', 'bob'].map(async (session) => {
    const { title } = await pool.run('me', session, { session, attempts: 1 })
    expect(title).toBe(session)
  })
  await Promise.all(together)
  const logins = [...portal.logins.values()].reduce((sum, count) => sum + count, 0)
  // One for each browser: a worker that changes its session is another process.
  expect(logins).toBe(pool.status().logins)
  expect(pool.status().processesStarted).toBeLessThanOrEqual(logins + 1)
})

describe('a login that is gone', () => {
  test('is done again, found by a task or by the check, and costs no attempt', async () => {
    await using troupe = sessionPool({ workers: 2 })
    const { pool } = troupe
    pool.start()
    const members = ['ada', 'carl']
    const visit = (session: string) => pool.submit('me', '', { session, attempts: 1 }).outcome()
    await Promise.all(members.map(visit))
    portal.expire()
    for (const session of members) {
      expect(await visit(session)).toMatchObject({ status: 'succeeded', value: { title: session } })
    }
    expect(Object.fromEntries(portal.logins)).toEqual({ ada: 2, carl: 2 })
    expect(pool.status().processesStarted).toBe(2)
  })

  test('that cannot be done fails its own tasks in the end, and nobody else’s', async () => {
    await using troupe = sessionPool({ workers: 2, restart: { minBackoff: 10, maxBackoff: 50 } })
    const { pool } = troupe
    pool.start()
    const broken = ['locked', 'unreadable'].map((session) =>
      pool.submit('me', '', { session, queueTimeout: 4_000 }).outcome(),
    )
    const well = () => pool.run('me', '', { session: 'ada' })
    for (let round = 0; round < 5; round++) expect(await well()).toMatchObject({ title: 'ada' })
    const codes = (await Promise.all(broken)).map(
      (end) => end.status === 'failed' && end.error.code,
    )
    expect(codes).toEqual(['TASK_EXPIRED', 'TASK_EXPIRED'])
    expect(await well()).toMatchObject({ title: 'ada' })
    // Their workers are there again for those who can log in.
    await vi.waitFor(() => {
      expect(pool.status()).toMatchObject({ state: 'running', health: 'healthy' })
    }, 20_000)
  })
})

describe('sealed base profiles', () => {
  test('of two sessions never mix, whatever their tasks leave', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'bases-'))
    try {
      const names = ['north', 'south']
      for (const name of names)
        await makeBaseProfile(join(folder, name), `${portal.url}/open`, name)
      const bases = names.map((name) => `${name}=${join(folder, name)}`)
      await using troupe = sessionPool({ workers: 2 }, bases)
      const { pool } = troupe
      pool.start()
      const seen = async (session: string) => pool.run('seen', '', { session, attempts: 1 })
      const whole = (name: string) => ({ name, cookie: `who=${name}`, stored: name })
      expect(await Promise.all(names.map(seen))).toEqual(names.map(whole))
      await Promise.all(names.map((session) => pool.run('mark', session, { session })))
      for (const name of names) {
        const { cookie, stored } = await seen(name)
        expect(cookie).toBe(`who=${name}; mark=${name}`)
        expect(stored).toBe(name)
      }
      const spares = await pool.cleanProfiles()
      expect(spares.length).toBeGreaterThan(0)
      expect(spares.filter((path) => !/\/spare\.[0-9a-f]{12}\.\d+$/.test(path))).toEqual([])
      // What is in use stays.
      expect(await seen('north')).toMatchObject({ cookie: 'who=north; mark=north' })
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
