/** What becomes of each kind of task when its pool dies and another finds it in the store. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { EndedTask } from '../../../src/ledger/store/store.ts'
import { type Ground, sqliteGround } from '../../support/store-bench.ts'
import { StoreLife } from '../../support/store-life.ts'

let ground: Ground
let life: StoreLife

beforeEach(() => {
  ground = sqliteGround()
  life = new StoreLife(ground)
})
afterEach(() => {
  expect(life.wrong).toEqual([])
  ground[Symbol.dispose]()
})

const ids = () => life.running.map(({ taskId }) => taskId)
const endOf = (id: string) => life.store.find(id) as EndedTask

describe('after the death of a pool', () => {
  it('a task that waited runs, and one that ran runs again', () => {
    for (const id of ['a', 'b', 'c', 'd', 'e']) life.submit(id)
    life.pass(0)
    expect(ids()).toHaveLength(4)
    life.crash()
    life.pass(0)
    expect(ids()).toEqual(['e'])
    life.pass(2_000)
    while (life.running.length > 0) life.report(0, 'ok')
    life.pass(2_000)
    while (life.running.length > 0) life.report(0, 'ok')
    expect(['a', 'b', 'c', 'd', 'e'].map((id) => endOf(id).attempt)).toEqual([2, 2, 2, 2, 1])
  })

  it('a task that may not be repeated, and had started, fails by name', () => {
    life.submit('pay', { idempotent: false, attempts: 5 })
    life.submit('waits', { idempotent: false, delay: 100 })
    life.pass(0)
    life.crash()
    life.pass(200)
    expect(endOf('pay')).toMatchObject({ state: 'failed', error: { code: 'WORKER_LOST' } })
    expect(ids()).toEqual(['waits'])
  })

  it('a task that takes the pool down with it is quarantined', () => {
    life.submit('poison', { attempts: 100 })
    life.pass(0)
    life.crash()
    life.pass(60_000)
    expect(ids()).toEqual(['poison'])
    life.crash()
    life.pass(60_000)
    expect(ids()).toEqual([])
    expect(endOf('poison')).toMatchObject({ state: 'failed', error: { code: 'WORKER_LOST' } })
    expect(endOf('poison').error?.message).toContain('quarantined')
  })

  it('spent attempts stay spent', () => {
    for (const id of ['a', 'b']) life.submit(id, { attempts: 2 })
    for (let death = 0; death < 2; death++) {
      life.pass(60_000)
      expect(ids()).toEqual(['a', 'b'])
      life.crash()
    }
    life.pass(60_000)
    expect(ids()).toEqual([])
    for (const id of ['a', 'b']) {
      expect(endOf(id)).toMatchObject({
        state: 'failed',
        attempt: 2,
        error: { code: 'WORKER_LOST' },
      })
    }
  })

  it('a delay goes on where it was, and a deadline passes while nobody is there', () => {
    life.submit('late', { delay: 5_000 })
    life.submit('expires', { delay: 50_000, deadline: 4_000 })
    life.pass(1_000)
    life.crash(2_000)
    life.pass(1_500)
    expect(endOf('expires')).toMatchObject({ state: 'failed', error: { code: 'TASK_EXPIRED' } })
    expect(ids()).toEqual([])
    life.pass(500)
    expect(ids()).toEqual(['late'])
  })

  it('the wait before a retry goes on where it was', () => {
    life.submit('again', { backoff: { type: 'fixed', delay: 10_000, jitter: 0, maxDelay: 10_000 } })
    life.pass(0)
    life.report(0, 'retryable')
    life.pass(4_000)
    life.crash(1_000)
    life.pass(4_000)
    expect(ids()).toEqual([])
    life.pass(1_000)
    expect(ids()).toEqual(['again'])
  })

  it('a child waits for what its parents have not done, and knows what they did', () => {
    life.submit('first')
    life.submit('second', { delay: 1_000 })
    life.submit('child', { dependsOn: ['first', 'second'] })
    life.pass(0)
    life.report(0, 'ok')
    life.crash()
    life.pass(0)
    expect(ids()).toEqual([])
    life.pass(1_000)
    expect(ids()).toEqual(['second'])
    life.report(0, 'ok')
    life.pass(0)
    expect(ids()).toEqual(['child'])
    const parents = life.ledger.find('child')?.family?.parents ?? []
    expect(parents.map(({ id, state }) => [id, state])).toEqual([
      ['first', 'succeeded'],
      ['second', 'succeeded'],
    ])
    life.submit('late child', { dependsOn: ['first'] })
    life.report(0, 'ok')
    life.pass(0)
    expect(ids()).toEqual(['late child'])
  })

  it('a key still stands for its task, waiting or succeeded', () => {
    life.submit('done', { deduplication: { key: 'd', ttl: 60_000 } })
    life.submit('waits', { deduplication: { key: 'w', ttl: 0 }, delay: 5_000 })
    life.pass(0)
    life.report(0, 'ok')
    life.crash()
    const { keys } = life.ledger.completed
    const find = (key: string) => keys.find('noop', key, life.clock.nowMs())
    expect(find('d')).toMatchObject({ id: 'done', state: 'succeeded', value: { taskId: 'done' } })
    expect(find('w')).toMatchObject({ id: 'waits', state: 'delayed' })
    life.pass(61_000)
    expect(find('d')).toBeNull()
  })
})

describe('after a shutdown', () => {
  it('what had not ended goes on with the next pool, at no cost', () => {
    life.submit('runs', { attempts: 1 })
    life.submit('waits', { delay: 100, attempts: 1 })
    life.submit('once', { attempts: 1, idempotent: false })
    life.pass(0)
    life.shutdown('halt')
    expect(life.seen).toContain('kept')
    life.pass(200)
    expect(ids().toSorted()).toEqual(['runs', 'waits'])
    expect(endOf('once').state).not.toBe('succeeded')
  })

  it('a pool that cannot start fails no task of its store', () => {
    for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) life.submit(id, { attempts: 1 })
    life.pass(0)
    life.shutdown('failed')
    life.pass(0)
    while (life.running.length > 0) {
      life.report(0, 'ok')
      life.pass(0)
    }
    expect(life.store.facts).toMatchObject({ unended: 0, ended: 6 })
  })
})
