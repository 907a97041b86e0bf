/** The places against a plain list of processes. */
import { strict as assert } from 'node:assert'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { SlotId } from '../../../machines/protocol.ts'
import {
  type WorkerCapacity,
  WorkerCapacities,
} from '../../../src/ledger/dispatch/worker-capacity.ts'
import { recordOf } from '../../simulation/records.ts'

const RUNS = 1_000
const MAX_MOVES = 80
const MAX_SLOTS = 4
const MAX_CAPACITY = 3

type Move =
  | { readonly do: 'open'; readonly slot: number; readonly capacity: number }
  | { readonly do: 'close' | 'remove' | 'finish'; readonly pick: number }
  | { readonly do: 'miss'; readonly slot: number; readonly incarnation: number }
  | { readonly do: 'take' }

const slot = fc.integer({ min: 1, max: MAX_SLOTS })
const pick = fc.nat({ max: 20 })
const capacity = fc.integer({ min: 1, max: MAX_CAPACITY })
const moves: fc.Arbitrary<Move[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ do: fc.constant('open'), slot, capacity }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant('take') }) },
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constantFrom('close', 'remove', 'finish', 'finish'), pick }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant('miss'), slot, incarnation: fc.constant(1_000) }),
    },
  ) as fc.Arbitrary<Move>,
  { maxLength: MAX_MOVES, size: 'max' },
)

/** Plays against the places; `list` is what must be there. */
class Game {
  readonly workers = new WorkerCapacities()
  list: WorkerCapacity[] = []
  #opened = 0

  play(move: Move): void {
    if (move.do === 'open') return this.#open(`worker-${move.slot}`, move.capacity)
    if (move.do === 'take') return this.#take()
    if (move.do === 'miss') return this.#miss(`worker-${move.slot}`, move.incarnation)
    const worker = this.list[move.pick % this.list.length]
    if (worker === undefined) return
    const { slot: of, incarnation, tasks } = worker
    if (move.do === 'close') this.workers.close(of, incarnation)
    else if (move.do === 'finish') for (const task of tasks) tasks.delete(task)
    else {
      assert.equal(this.workers.remove(of, incarnation), worker)
      this.list = this.list.filter((other) => other !== worker)
    }
    if (move.do !== 'finish') assert.equal(worker.free, 0)
  }

  #open(of: SlotId, capacityOfIt: number): void {
    const incarnation = ++this.#opened
    this.workers.open(of, incarnation, capacityOfIt)
    this.list.push(this.workers.find(of, incarnation) as WorkerCapacity)
  }

  #take(): void {
    const worker = this.workers.next()
    const free = this.list.filter((one) => one.free > 0)
    if (worker === null) return assert.equal(free.length, 0)
    assert(free.includes(worker))
    worker.tasks.add(recordOf())
  }

  #miss(of: SlotId, incarnation: number): void {
    this.workers.close(of, incarnation)
    assert.equal(this.workers.remove(of, incarnation), null)
    assert.equal(this.workers.find(of, incarnation), null)
  }
}

describe('the places', () => {
  it('give every free place once, and none of a process that is closed or gone', () => {
    fc.assert(
      fc.property(moves, (made) => {
        const game = new Game()
        for (const move of made) {
          game.play(move)
          const open = game.list.filter(({ isOpen }) => isOpen)
          const sum = (of: (worker: WorkerCapacity) => number) =>
            open.reduce((total, worker) => total + of(worker), 0)
          assert.equal(game.workers.all().length, game.list.length)
          assert(game.workers.all().every((worker, index) => worker === game.list[index]))
          assert.equal(
            game.workers.capacity,
            sum((worker) => worker.capacity),
          )
          assert.equal(
            game.workers.used,
            sum(({ tasks }) => tasks.size),
          )
          assert(game.list.every(({ tasks, capacity: most }) => tasks.size <= most))
        }
      }),
      { numRuns: RUNS },
    )
  })

  it('go round: nobody gets a second task before everybody with room has had one', () => {
    const capacities = fc.array(capacity, { minLength: 1, maxLength: MAX_SLOTS })
    const skipped = fc.nat({ max: 10 })
    fc.assert(
      fc.property(capacities, skipped, (all, skip) => {
        const workers = new WorkerCapacities()
        for (const [index, most] of all.entries()) workers.open(`worker-${index + 1}`, 1, most)
        // Wherever the last round ended.
        for (let index = 0; index < skip; index++) workers.next()
        const rounds: number[] = []
        for (let worker = workers.next(); worker !== null; worker = workers.next()) {
          worker.tasks.add(recordOf())
          rounds.push(worker.tasks.size)
        }
        expect(rounds).toEqual(rounds.toSorted((a, b) => a - b))
        expect(rounds).toHaveLength(all.reduce((sum, most) => sum + most, 0))
      }),
      { numRuns: RUNS },
    )
  })
})
