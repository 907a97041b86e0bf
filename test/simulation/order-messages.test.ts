/** Order, fairness and refusals, by example. */
import { describe, expect, it } from 'vitest'
import type { SlotId } from '../../machines/protocol.ts'
import { MAX_GROUPS_LISTED } from '../../src/ledger/queue/groups.ts'
import type { TaskRecord } from '../../src/ledger/task/record.ts'
import { OrderScenario } from './order-scenario.ts'

/** The ids of all tasks in the order in which one worker starts them. */
function startsOf(scenario: OrderScenario, slot: SlotId = 'worker-1'): TaskRecord[] {
  const process = scenario.open(slot)
  const starts: TaskRecord[] = []
  while (process.tasks.length > 0) {
    starts.push(...process.tasks)
    scenario.end(process, process.tasks.slice())
    scenario.clock.settle()
  }
  return starts
}

const groupsOf = (records: readonly TaskRecord[]) =>
  records.map(({ options }) => options.group ?? '-').join('')

describe('groups', () => {
  it('take turns, however many tasks one of them has', () => {
    const scenario = new OrderScenario()
    for (let count = 0; count < 6; count++) scenario.submit({ group: 'a' })
    for (const group of ['b', 'c', undefined, 'b', 'c', undefined]) scenario.submit({ group })
    expect(groupsOf(startsOf(scenario))).toBe('abc-abc-aaaa')
  })

  it('come after a better priority', () => {
    const scenario = new OrderScenario()
    scenario.submit({ group: 'a' })
    scenario.submit({ group: 'b' })
    scenario.submit({ group: 'a', priority: 0 })
    scenario.submit({ group: 'a', priority: 0 })
    // Each priority has turns of its own.
    expect(groupsOf(startsOf(scenario))).toBe('aaab')
  })

  it('never run more at once than they may, and more when they may', () => {
    const scenario = new OrderScenario({ groupConcurrency: { a: 1 }, tasksPerWorker: 4 })
    for (let count = 0; count < 4; count++) scenario.submit({ group: 'a' })
    const process = scenario.open('worker-1')
    const usage = () => scenario.ledger.dispatch.queue.groups.usageOf('a')
    expect(usage()).toEqual({ group: 'a', queued: 3, active: 1, limit: 1 })
    scenario.send({ type: 'group.limited', group: 'a', limit: 3 })
    scenario.clock.settle()
    expect(usage()).toEqual({ group: 'a', queued: 1, active: 3, limit: 3 })
    scenario.send({ type: 'group.limited', group: 'a', limit: 1 })
    scenario.end(process, process.tasks.slice(0, 2))
    scenario.clock.settle()
    expect(usage()).toEqual({ group: 'a', queued: 1, active: 1, limit: 1 })
  })

  it('at their limit let the others pass', () => {
    const scenario = new OrderScenario({ groupConcurrency: 1, tasksPerWorker: 3 })
    for (const group of ['a', 'a', 'a', 'b', 'c']) scenario.submit({ group })
    expect(groupsOf(scenario.open('worker-1').tasks)).toBe('abc')
  })

  it('whose worker is lost may run again', () => {
    const scenario = new OrderScenario({ groupConcurrency: 1 })
    const records = [scenario.submit({ group: 'a', attempts: 1 }), scenario.submit({ group: 'a' })]
    const process = scenario.open('worker-1')
    scenario.open('worker-2')
    scenario.exit(process, 'crashed')
    scenario.clock.settle()
    expect(records.map(({ state }) => state)).toEqual(['failed', 'assigned'])
  })

  it('are forgotten when they have no task, and told of up to a bound', () => {
    const scenario = new OrderScenario()
    for (let count = 0; count < 2 * MAX_GROUPS_LISTED; count++)
      scenario.submit({ group: `g${count}` })
    const { groups } = scenario.ledger.dispatch.queue
    expect([groups.size, groups.listed().length]).toEqual([
      2 * MAX_GROUPS_LISTED,
      MAX_GROUPS_LISTED,
    ])
    startsOf(scenario)
    expect([groups.size, groups.listed()]).toEqual([0, []])
  })
})

describe('ageing', () => {
  const startedFirst = (ageingMs: number, waitedMs: number) => {
    const scenario = new OrderScenario({ ageingMs })
    const old = scenario.submit({ priority: 20 })
    scenario.clock.advance(waitedMs)
    scenario.submit({ priority: 10 })
    return startsOf(scenario)[0] === old ? 'the old' : 'the urgent'
  }

  it('is worth a step of priority for each of its ms', () => {
    expect(startedFirst(10, 99)).toBe('the urgent')
    expect(startedFirst(10, 101)).toBe('the old')
  })

  it('can be off', () => {
    expect(startedFirst(0, 1_000_000)).toBe('the urgent')
  })

  it('does not count the time before a task was due', () => {
    const scenario = new OrderScenario({ ageingMs: 10 })
    const late = scenario.submit({ priority: 20, delay: 1_000 })
    scenario.clock.advance(1_000)
    const urgent = scenario.submit({ priority: 10 })
    expect(startsOf(scenario)).toEqual([urgent, late])
  })

  it('brings everything to its turn, however much that is more urgent comes', () => {
    const scenario = new OrderScenario({ ageingMs: 10 })
    const old = scenario.submit({ priority: 100 })
    const process = scenario.open('worker-1')
    scenario.submit({ priority: 0 })
    const urgent = scenario.submit({ priority: 100 })
    for (let count = 0; count < 300 && urgent.state === 'queued'; count++) {
      scenario.submit({ priority: 0 })
      scenario.submit({ priority: 0 })
      scenario.clock.advance(10)
      scenario.end(process, process.tasks.slice())
      scenario.clock.settle()
    }
    expect([old.state, urgent.state]).toEqual(['succeeded', 'assigned'])
  })
})

describe('affinity', () => {
  it('brings tasks to the worker that had one like them, and waits for nobody', () => {
    const scenario = new OrderScenario()
    const [a, b] = [scenario.open('worker-1'), scenario.open('worker-2')]
    for (const affinity of ['x', 'y', 'y', 'x']) scenario.submit({ affinity })
    scenario.clock.settle()
    // Whoever is free first has the choice.
    scenario.end(a, a.tasks.slice())
    scenario.clock.settle()
    scenario.end(b, b.tasks.slice())
    scenario.clock.settle()
    const affinities = [a, b].map(({ tasks }) => tasks.map(({ options }) => options.affinity))
    expect(affinities).toEqual([['x'], ['y']])
    scenario.submit({ affinity: 'y' })
    scenario.end(a, a.tasks.slice())
    scenario.clock.settle()
    expect(a.tasks.map(({ options }) => options.affinity)).toEqual(['y'])
  })
})

describe('several tasks released in one frame', () => {
  it('come back in the order they had', () => {
    const scenario = new OrderScenario({ tasksPerWorker: 3 })
    const records = [1, 2, 3, 4].map(() => scenario.submit())
    const process = scenario.open('worker-1')
    const [first, second, third, fourth] = records as [
      TaskRecord,
      TaskRecord,
      TaskRecord,
      TaskRecord,
    ]
    scenario.end(process, [third, first, second], 'released')
    scenario.clock.settle()
    expect(process.tasks).toEqual([first, second, third])
    expect(fourth.state).toBe('queued')
  })
})

describe('a task that no worker can ever run', () => {
  it('fails by name once the task file is known', () => {
    const scenario = new OrderScenario()
    const task = scenario.submit({ session: 'shpo' })
    scenario.open('worker-1')
    expect(task.state).toBe('queued')
    scenario.learn({ sessions: ['default', 'shop'] })
    scenario.clock.settle()
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
    const scenario = new OrderScenario({
      capabilities: { 'worker-1': ['print'], 'worker-2': ['vpn'] },
    })
    scenario.slots = ['worker-1', 'worker-2']
    const task = scenario.submit({ requires: ['vpn'] })
    scenario.open('worker-1')
    expect(task.state).toBe('queued')
    scenario.slots = ['worker-1']
    scenario.send({ type: 'slots.changed' })
    scenario.clock.settle()
    expect(task.error?.message).toBe('requires: no worker has all of vpn; there are: print, vpn')
  })

  it('is refused before it is accepted', () => {
    const { dispatch } = new OrderScenario({
      capabilities: { 'worker-1': ['print'], 'worker-2': ['vpn'] },
    }).ledger
    const refusal = (...requires: string[]) => dispatch.refusal({ session: 'default', requires })
    expect(refusal('vpn')).toBeNull()
    expect(refusal('gpu')).toBe('requires: no worker has "gpu"; there are: print, vpn')
    expect(refusal('print', 'vpn')).toBe(
      'requires: no worker has all of print, vpn; there are: print, vpn',
    )
    const bare = new OrderScenario().ledger.dispatch
    expect(bare.refusal({ session: 'default', requires: ['gpu'] })).toBe(
      'requires: no worker has "gpu"; the pool\'s option capabilities names none',
    )
  })
})

describe('the task file, once it is known,', () => {
  it('lets tasks without a browser run anywhere, and keeps the order', () => {
    const scenario = new OrderScenario()
    const [page, plain, second] = [
      scenario.submit({}, 'page'),
      scenario.submit({}, 'plain'),
      scenario.submit({}, 'page'),
    ]
    scenario.learn({ sessions: ['default', 'shop'], plain: ['plain'] })
    expect(startsOf(scenario)).toEqual([page, plain, second])
  })
})
