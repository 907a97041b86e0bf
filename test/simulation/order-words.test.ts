/** Order, fairness and refusals, by example. */
import { describe, expect, it } from 'vitest'
import type { SlotId } from '../../machines/vocabulary.ts'
import { MAX_GROUPS_TOLD } from '../../src/ledger/groups.ts'
import type { TaskRecord } from '../../src/ledger/record.ts'
import { OrderStage } from './order-stage.ts'

/** The ids of all tasks in the order in which one worker starts them. */
function startsOf(stage: OrderStage, slot: SlotId = 'worker-1'): TaskRecord[] {
  const process = stage.open(slot)
  const starts: TaskRecord[] = []
  while (process.tasks.length > 0) {
    starts.push(...process.tasks)
    stage.end(process, process.tasks.slice())
    stage.clock.settle()
  }
  return starts
}

const groupsOf = (records: readonly TaskRecord[]) =>
  records.map(({ options }) => options.group ?? '-').join('')

describe('groups', () => {
  it('take turns, however many tasks one of them has', () => {
    const stage = new OrderStage()
    for (let count = 0; count < 6; count++) stage.submit({ group: 'a' })
    for (const group of ['b', 'c', undefined, 'b', 'c', undefined]) stage.submit({ group })
    expect(groupsOf(startsOf(stage))).toBe('abc-abc-aaaa')
  })

  it('come after a better priority', () => {
    const stage = new OrderStage()
    stage.submit({ group: 'a' })
    stage.submit({ group: 'b' })
    stage.submit({ group: 'a', priority: 0 })
    stage.submit({ group: 'a', priority: 0 })
    // Each priority has turns of its own.
    expect(groupsOf(startsOf(stage))).toBe('aaab')
  })

  it('never run more at once than they may, and more when they may', () => {
    const stage = new OrderStage({ groupConcurrency: { a: 1 }, seatsPerWorker: 4 })
    for (let count = 0; count < 4; count++) stage.submit({ group: 'a' })
    const process = stage.open('worker-1')
    const usage = () => stage.ledger.dispatch.queue.groups.usageOf('a')
    expect(usage()).toEqual({ group: 'a', queued: 3, active: 1, limit: 1 })
    stage.send({ type: 'group.limited', group: 'a', limit: 3 })
    stage.clock.settle()
    expect(usage()).toEqual({ group: 'a', queued: 1, active: 3, limit: 3 })
    stage.send({ type: 'group.limited', group: 'a', limit: 1 })
    stage.end(process, process.tasks.slice(0, 2))
    stage.clock.settle()
    expect(usage()).toEqual({ group: 'a', queued: 1, active: 1, limit: 1 })
  })

  it('at their limit let the others pass', () => {
    const stage = new OrderStage({ groupConcurrency: 1, seatsPerWorker: 3 })
    for (const group of ['a', 'a', 'a', 'b', 'c']) stage.submit({ group })
    expect(groupsOf(stage.open('worker-1').tasks)).toBe('abc')
  })

  it('whose worker is lost may run again', () => {
    const stage = new OrderStage({ groupConcurrency: 1 })
    const records = [stage.submit({ group: 'a', attempts: 1 }), stage.submit({ group: 'a' })]
    const process = stage.open('worker-1')
    stage.open('worker-2')
    stage.exit(process, 'crashed')
    stage.clock.settle()
    expect(records.map(({ state }) => state)).toEqual(['failed', 'assigned'])
  })

  it('are forgotten when they have no task, and told of up to a bound', () => {
    const stage = new OrderStage()
    for (let count = 0; count < 2 * MAX_GROUPS_TOLD; count++) stage.submit({ group: `g${count}` })
    const { groups } = stage.ledger.dispatch.queue
    expect([groups.size, groups.told().length]).toEqual([2 * MAX_GROUPS_TOLD, MAX_GROUPS_TOLD])
    startsOf(stage)
    expect([groups.size, groups.told()]).toEqual([0, []])
  })
})

describe('ageing', () => {
  const startedFirst = (ageingMs: number, waitedMs: number) => {
    const stage = new OrderStage({ ageingMs })
    const old = stage.submit({ priority: 20 })
    stage.clock.advance(waitedMs)
    stage.submit({ priority: 10 })
    return startsOf(stage)[0] === old ? 'the old' : 'the urgent'
  }

  it('is worth a step of priority for each of its ms', () => {
    expect(startedFirst(10, 99)).toBe('the urgent')
    expect(startedFirst(10, 101)).toBe('the old')
  })

  it('can be off', () => {
    expect(startedFirst(0, 1_000_000)).toBe('the urgent')
  })

  it('does not count the time before a task was due', () => {
    const stage = new OrderStage({ ageingMs: 10 })
    const late = stage.submit({ priority: 20, delay: 1_000 })
    stage.clock.advance(1_000)
    const urgent = stage.submit({ priority: 10 })
    expect(startsOf(stage)).toEqual([urgent, late])
  })

  it('brings everything to its turn, however much that is more urgent comes', () => {
    const stage = new OrderStage({ ageingMs: 10 })
    const old = stage.submit({ priority: 100 })
    const process = stage.open('worker-1')
    stage.submit({ priority: 0 })
    const urgent = stage.submit({ priority: 100 })
    for (let count = 0; count < 300 && urgent.state === 'queued'; count++) {
      stage.submit({ priority: 0 })
      stage.submit({ priority: 0 })
      stage.clock.advance(10)
      stage.end(process, process.tasks.slice())
      stage.clock.settle()
    }
    expect([old.state, urgent.state]).toEqual(['succeeded', 'assigned'])
  })
})

describe('affinity', () => {
  it('brings tasks to the worker that had one like them, and waits for nobody', () => {
    const stage = new OrderStage()
    const [a, b] = [stage.open('worker-1'), stage.open('worker-2')]
    for (const affinity of ['x', 'y', 'y', 'x']) stage.submit({ affinity })
    stage.clock.settle()
    // Whoever is free first has the choice.
    stage.end(a, a.tasks.slice())
    stage.clock.settle()
    stage.end(b, b.tasks.slice())
    stage.clock.settle()
    const affinities = [a, b].map(({ tasks }) => tasks.map(({ options }) => options.affinity))
    expect(affinities).toEqual([['x'], ['y']])
    stage.submit({ affinity: 'y' })
    stage.end(a, a.tasks.slice())
    stage.clock.settle()
    expect(a.tasks.map(({ options }) => options.affinity)).toEqual(['y'])
  })
})

describe('several tasks released in one frame', () => {
  it('come back in the order they had', () => {
    const stage = new OrderStage({ seatsPerWorker: 3 })
    const records = [1, 2, 3, 4].map(() => stage.submit())
    const process = stage.open('worker-1')
    const [first, second, third, fourth] = records as [
      TaskRecord,
      TaskRecord,
      TaskRecord,
      TaskRecord,
    ]
    stage.end(process, [third, first, second], 'released')
    stage.clock.settle()
    expect(process.tasks).toEqual([first, second, third])
    expect(fourth.state).toBe('queued')
  })
})

describe('a task that no worker can ever run', () => {
  it('fails by name once the task file is known', () => {
    const stage = new OrderStage()
    const task = stage.submit({ session: 'shpo' })
    stage.open('worker-1')
    expect(task.state).toBe('queued')
    stage.learn({ sessions: ['default', 'shop'] })
    stage.clock.settle()
    expect(task).toMatchObject({
      state: 'failed',
      error: {
        code: 'CONFIG_INVALID',
        message: 'session: there is no session "shpo"; these are: default, shop',
        retryable: false,
      },
    })
  })

  it('fails when the worker that could is gone for good', () => {
    const stage = new OrderStage({ capabilities: { 'worker-1': ['print'], 'worker-2': ['vpn'] } })
    stage.slots = ['worker-1', 'worker-2']
    const task = stage.submit({ requires: ['vpn'] })
    stage.open('worker-1')
    expect(task.state).toBe('queued')
    stage.slots = ['worker-1']
    stage.send({ type: 'slots.changed' })
    stage.clock.settle()
    expect(task.error?.message).toBe('requires: no worker has all of vpn; there are: print, vpn')
  })

  it('is refused before it is accepted', () => {
    const { dispatch } = new OrderStage({
      capabilities: { 'worker-1': ['print'], 'worker-2': ['vpn'] },
    }).ledger
    const refusal = (...requires: string[]) => dispatch.refusal({ session: 'default', requires })
    expect(refusal('vpn')).toBeNull()
    expect(refusal('gpu')).toBe('requires: no worker has "gpu"; there are: print, vpn')
    expect(refusal('print', 'vpn')).toBe(
      'requires: no worker has all of print, vpn; there are: print, vpn',
    )
    const bare = new OrderStage().ledger.dispatch
    expect(bare.refusal({ session: 'default', requires: ['gpu'] })).toBe(
      'requires: no worker has "gpu"; the pool\'s option capabilities names none',
    )
  })
})

describe('the task file, once it is known,', () => {
  it('lets tasks without a browser run anywhere, and keeps the order', () => {
    const stage = new OrderStage()
    const [page, plain, second] = [
      stage.submit({}, 'page'),
      stage.submit({}, 'plain'),
      stage.submit({}, 'page'),
    ]
    stage.learn({ sessions: ['default', 'shop'], plain: ['plain'] })
    expect(startsOf(stage)).toEqual([page, plain, second])
  })
})
