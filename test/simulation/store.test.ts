/** The port of a store: whatever keeps the tasks must keep these promises. */
import { describe, expect, it } from 'vitest'
import { TaskRecord } from '../../src/ledger/task/record.ts'
import type { StoredTask, TaskStore } from '../../src/ledger/store/store.ts'
import { DEFAULT_TASK_OPTIONS } from '../../src/config/task-options.ts'
import { type NormalTaskOptions } from '../../src/config/task-option-checks.ts'
import { EPOCH_MS, type Ground, memoryGround, sqliteGround } from '../support/store-bench.ts'

const GROUNDS: Readonly<Record<string, () => Ground>> = {
  memory: memoryGround,
  sqlite: sqliteGround,
}
const PAYLOAD = {
  map: new Map([['a', new Date(5)]]),
  set: new Set([1n]),
  bytes: Buffer.from('bytes'),
  nothing: undefined,
}

function recordOf(id: string, options: Partial<NormalTaskOptions> = {}, atMs = 0): TaskRecord {
  return new TaskRecord(id, 'noop', PAYLOAD, { ...DEFAULT_TASK_OPTIONS, ...options }, atMs)
}

function start(store: TaskStore, record: TaskRecord): void {
  record.attempt++
  record.state = 'assigned'
  store.change(record, 'started')
}

function end(store: TaskStore, record: TaskRecord, value: unknown = 'done', atMs = 0): void {
  record.state = 'succeeded'
  record.value = value
  record.endedAtMs = atMs
  store.change(record, 'ended')
}

const idsOf = (store: TaskStore) => [...store.unended()].map(({ id }) => id)

describe.each(Object.keys(GROUNDS))('a store in %s', (name) => {
  const ground = GROUNDS[name] as () => Ground

  it('gives back what was accepted, whole and in its order, after a crash', () => {
    using at = ground()
    const store = at.open()
    const options = {
      priority: 3,
      delay: 20,
      metadata: { who: new Date(7) },
      deadline: 50,
      group: 'g',
    }
    store.accept([recordOf('b', options, 5)])
    store.accept([recordOf('a'), recordOf('c')])
    const [first, ...rest] = [...at.crash(store).unended()] as StoredTask[]
    expect(first).toMatchObject({
      id: 'b',
      name: 'noop',
      payload: PAYLOAD,
      submittedAt: EPOCH_MS + 5,
      attempt: 0,
      isRunning: false,
      dueAt: EPOCH_MS + 25,
      error: null,
    })
    expect(first?.options).toEqual({ ...DEFAULT_TASK_OPTIONS, ...options })
    expect(rest.map(({ id }) => id)).toEqual(['a', 'c'])
  })

  it('has accepted at once, or with the next commit when batched', () => {
    using at = ground()
    const batched = { durability: 'batched' } as const
    let store = at.open(batched)
    store.accept([recordOf('lost')])
    expect(store.isAccepting).toBe(true)
    store = at.crash(store, batched)
    expect(idsOf(store)).toEqual([])
    store.accept([recordOf('kept')])
    store.commit()
    expect(store.isAccepting).toBe(false)
    store = at.crash(store, batched)
    expect(idsOf(store)).toEqual(['kept'])
  })

  it('knows that a task was running when everything died, and nothing that was not committed', () => {
    using at = ground()
    let store = at.open()
    const [one, two] = [recordOf('one'), recordOf('two')]
    store.accept([one, two])
    start(store, one)
    store.commit()
    start(store, two)
    store = at.crash(store)
    const facts = [...store.unended()].map(({ id, attempt, isRunning }) => [id, attempt, isRunning])
    expect(facts).toEqual([
      ['one', 1, true],
      ['two', 0, false],
    ])
  })

  it('keeps what a task that waits again has behind it', () => {
    using at = ground()
    let store = at.open()
    const [late, kept] = [recordOf('late'), recordOf('kept')]
    store.accept([late, kept])
    for (const record of [late, kept]) start(store, record)
    store.commit()
    late.state = 'backingOff'
    late.timerAtMs = 500
    late.kills = 1
    late.error = { code: 'TASK_FAILED', message: 'once' }
    store.change(late, 'waits')
    store.change(kept, 'kept')
    store.commit()
    store = at.crash(store)
    const [first, second] = [...store.unended()] as [StoredTask, StoredTask]
    expect(first).toMatchObject({ attempt: 1, released: 0, kills: 1, isRunning: false })
    expect(first).toMatchObject({ dueAt: EPOCH_MS + 500, error: { message: 'once' } })
    expect(second).toMatchObject({ attempt: 1, released: 1, isRunning: false })
  })

  it('tells how a task ended, the last time its id was used', () => {
    using at = ground()
    let store = at.open()
    const [first, failed] = [recordOf('x'), recordOf('y')]
    store.accept([first, failed])
    start(store, first)
    end(store, first, new Map([[1, 'first']]))
    failed.state = 'failed'
    failed.error = { code: 'TASK_FAILED', message: 'no' }
    store.change(failed, 'ended')
    store.commit()
    store = at.crash(store)
    expect(idsOf(store)).toEqual([])
    expect(store.find('x')).toMatchObject({ state: 'succeeded', attempt: 1, payload: PAYLOAD })
    expect(store.find('x')?.value).toEqual(new Map([[1, 'first']]))
    expect(store.find('y')).toMatchObject({ state: 'failed', error: { message: 'no' } })
    const again = recordOf('x')
    store.accept([again])
    end(store, again, 'second')
    store.commit()
    expect(store.find('x')?.value).toBe('second')
    expect(store.find('never')).toBeNull()
  })

  it('forgets ended tasks by their age, and only those', () => {
    using at = ground()
    const settings = { retention: { age: 100 } }
    const store = at.open(settings)
    const records = ['a', 'b', 'c'].map((id) => recordOf(id))
    store.accept([...records, recordOf('waits')])
    end(store, records[0] as TaskRecord, 1, 0)
    end(store, records[1] as TaskRecord, 2, 90)
    store.commit()
    at.clock.ms = 150
    expect(store.find('a')).toBeNull()
    expect(store.find('b')).not.toBeNull()
    end(store, records[2] as TaskRecord, 3, 150)
    store.commit()
    expect(store.facts).toMatchObject({ unended: 1, ended: 2 })
    expect(idsOf(store)).toEqual(['waits'])
  })

  it('forgets the oldest of the ended when they are too many bytes, but never a parent in need', () => {
    using at = ground()
    const settings = { retention: { bytes: 40_000 } }
    const store = at.open(settings)
    const parent = recordOf('parent')
    const child = recordOf('child', { dependsOn: ['parent'] })
    store.accept([parent, child])
    end(store, parent, 'a'.repeat(10_000))
    store.commit()
    const others = Array.from({ length: 10 }, (_, index) => recordOf(`other-${index}`))
    store.accept(others)
    for (const [atMs, record] of others.entries()) end(store, record, 'b'.repeat(10_000), atMs)
    store.commit()
    expect(store.find('parent')).not.toBeNull()
    expect(store.find('other-0') === null).toBe(true)
    expect(store.find('other-9')).not.toBeNull()
    expect(store.facts.endedBytes).toBeLessThanOrEqual(40_000)
    expect(idsOf(store)).toEqual(['child'])
    end(store, child, 'c'.repeat(10_000))
    store.commit()
    expect(store.find('parent') === null).toBe(true)
  })

  it('remembers whose key still stands for it', () => {
    using at = ground()
    let store = at.open()
    const keyOf = (key: string, ttl: number) => ({ deduplication: { key, ttl } })
    const short = recordOf('short', keyOf('s', 10))
    const long = recordOf('long', keyOf('l', 1_000))
    store.accept([short, long])
    end(store, short)
    end(store, long)
    store.commit()
    store = at.crash(store)
    at.clock.ms = 50
    expect([...store.remembered()].map(({ id }) => id)).toEqual(['long'])
  })

  it('keeps dead letters and cached results', () => {
    using at = ground()
    let store = at.open()
    const letter = (id: string) => ({
      id,
      name: 'noop',
      payload: PAYLOAD,
      options: DEFAULT_TASK_OPTIONS,
      attempts: 1,
      error: { code: 'TASK_FAILED', message: id },
      submittedAt: 1,
      failedAt: 2,
    })
    for (const id of ['one', 'two', 'three']) store.deadLetters.add(letter(id))
    store.resultCache.put('key', PAYLOAD, EPOCH_MS + 100)
    store.resultCache.put('old', 1, EPOCH_MS + 1)
    store.commit()
    store.deadLetters.delete('two')
    store.commit()
    store = at.crash(store)
    const { letters, next } = store.deadLetters.list({}, 0, 1)
    expect(letters).toEqual([letter('one')])
    expect(store.deadLetters.list({}, next ?? 0, 5).letters).toEqual([letter('three')])
    expect(store.deadLetters.count).toBe(2)
    expect(store.resultCache.get('key', EPOCH_MS + 50)?.value).toEqual(PAYLOAD)
    expect(store.resultCache.get('old', EPOCH_MS + 50)).toBeNull()
    store.commit()
    expect(store.resultCache.count).toBe(1)
  })
})
