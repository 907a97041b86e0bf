/** The queue against one sorted array. */
import { strict as assert } from 'node:assert'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Queue } from '../../../src/ledger/queue/queue.ts'
import type { TaskRecord } from '../../../src/ledger/task/record.ts'
import { MAX_PRIORITY } from '../../../src/config/task-options.ts'
import { recordOf } from '../../simulation/records.ts'

const RUNS = 1_000
const MAX_MOVES = 80

type Move =
  | { readonly do: 'pushBack'; readonly priority: number }
  | { readonly do: 'pushFront'; readonly priority: number }
  | { readonly do: 'remove'; readonly pick: number }
  | { readonly do: 'removeAgain'; readonly pick: number }
  | { readonly do: 'take' }

const priority = fc.oneof(
  fc.constantFrom(0, 10, MAX_PRIORITY),
  fc.integer({ min: 0, max: MAX_PRIORITY }),
)
const pick = fc.nat({ max: 50 })
const moves: fc.Arbitrary<Move[]> = fc.array(
  fc.oneof(
    fc.record({ do: fc.constantFrom('pushBack', 'pushBack', 'pushFront'), priority }),
    fc.record({ do: fc.constantFrom('remove', 'removeAgain'), pick }),
    fc.record({ do: fc.constant('take') }),
  ) as fc.Arbitrary<Move>,
  { maxLength: MAX_MOVES, size: 'max' },
)

/** In the order they must come out. */
class ArrayQueue {
  list: TaskRecord[] = []
  gone: TaskRecord[] = []

  add(record: TaskRecord, where: 'pushBack' | 'pushFront'): void {
    const own = record.options.priority
    const isAfter = ({ options }: TaskRecord) =>
      where === 'pushBack' ? options.priority > own : options.priority >= own
    const index = this.list.findIndex(isAfter)
    this.list.splice(index === -1 ? this.list.length : index, 0, record)
  }

  remove(record: TaskRecord): void {
    this.list = this.list.filter((other) => other !== record)
    this.gone.push(record)
  }
}

function play(queue: Queue, model: ArrayQueue, move: Move): void {
  if (move.do === 'pushBack' || move.do === 'pushFront') {
    const record = recordOf({ priority: move.priority })
    queue[move.do](record)
    model.add(record, move.do)
    return
  }
  const record = picked(queue, model, move)
  if (record === undefined) return
  queue.remove(record)
  if (move.do !== 'removeAgain') model.remove(record)
}

function picked(
  queue: Queue,
  model: ArrayQueue,
  move: Extract<Move, { do: 'take' | 'remove' | 'removeAgain' }>,
): TaskRecord | undefined {
  if (move.do === 'take') return queue.peek() ?? undefined
  const list = move.do === 'remove' ? model.list : model.gone
  return list[move.pick % list.length]
}

describe('the queue', () => {
  it('gives what a sorted list would give, whatever goes in and out', () => {
    fc.assert(
      fc.property(moves, (made) => {
        const queue = new Queue()
        const model = new ArrayQueue()
        for (const move of made) {
          play(queue, model, move)
          assert.equal(queue.peek(), model.list[0] ?? null)
          assert.equal(queue.size, model.list.length)
          assert(model.list.every(({ isQueued }) => isQueued))
        }
        const left: TaskRecord[] = []
        for (let record = queue.peek(); record !== null; record = queue.peek()) {
          left.push(record)
          queue.remove(record)
        }
        assert(left.every((record, index) => record === model.list[index]))
        assert.equal(left.length, model.list.length)
        for (const { isQueued, previous, next } of [...left, ...model.gone]) {
          assert.deepEqual([isQueued, previous, next], [false, null, null])
        }
      }),
      { numRuns: RUNS },
    )
  })

  it('takes a record in again after it has left', () => {
    const queue = new Queue()
    const [first, second] = [recordOf(), recordOf()]
    queue.pushBack(first)
    queue.pushBack(second)
    queue.remove(first)
    queue.pushBack(first)
    expect(queue.peek()).toBe(second)
    expect(second.next).toBe(first)
  })
})
