/** The order of tasks: the real ledger against a plain model of it, in games of random moves. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { TaskRecord } from '../../src/ledger/task/record.ts'
import { orderBugs } from './order-bugs.ts'
import { type OrderGame, orderGames, playOrder } from './order-game.ts'
import { OrderScenario } from './order-scenario.ts'

/** More of them: `ORDER_RUNS=10000 npx vitest run --project fast test/simulation/order.test.ts`. */
const RUNS = Number(process.env.ORDER_RUNS ?? 1_000)
const SEED = process.env.ORDER_SEED === undefined ? {} : { seed: Number(process.env.ORDER_SEED) }
/** Allowed for each run, on a slow machine. */
const RUN_MS = 50
/** So many games have always shown everything. */
const RUNS_TO_SEE_ALL = 1_000
/** A planted bug must show within so many games. */
const GAMES_PER_BUG = 2_000
/** What makes an order more than a queue. Games without one of these say nothing about that one. */
const SOMETIMES = [
  'a group is at its limit',
  'a group may go on',
  'back in front',
  'enough of one affinity',
  'it was old enough',
  'out of turn by affinity',
  'queued',
]

describe('the order', () => {
  it(
    'is what the model says, whatever comes and goes',
    () => {
      const seen = new Set<string>()
      const play = (game: OrderGame) => {
        const { wrong, model } = playOrder(game)
        for (const what of model.seen) seen.add(what)
        expect(wrong).toEqual([])
      }
      fc.assert(fc.property(orderGames, play), { numRuns: RUNS, ...SEED })
      if (RUNS >= RUNS_TO_SEE_ALL) expect([...seen].toSorted()).toEqual(SOMETIMES)
    },
    30_000 + RUNS * RUN_MS,
  )
})

describe('fairness', () => {
  it('no group has a second turn while another one waits for its first', () => {
    const names = fc.array(fc.constantFrom('a', 'b', 'c', 'd', undefined), { maxLength: 40 })
    const property = fc.property(names, names, (early, late) => {
      const scenario = new OrderScenario()
      for (const group of early) scenario.submit({ group })
      const process = scenario.open('worker-1')
      scenario.clock.advance(1)
      for (const group of late) scenario.submit({ group })
      scenario.clock.settle()
      const turns: { group: string | undefined; atMs: number }[] = []
      while (process.tasks.length > 0) {
        const [record] = process.tasks as [TaskRecord]
        const { group } = record.options
        const last = turns.findLastIndex((turn) => turn.group === group)
        const since = turns.slice(last)
        const isPassedOver = ({ state, options, queuedAtMs }: TaskRecord) =>
          state === 'queued' &&
          queuedAtMs <= (since[0]?.atMs ?? 0) &&
          !since.some((turn) => turn.group === options.group)
        if (last !== -1) expect(scenario.records.filter(isPassedOver)).toEqual([])
        turns.push({ group, atMs: record.startedAtMs })
        scenario.clock.advance(1)
        scenario.end(process, [record])
        scenario.clock.settle()
      }
      expect(turns).toHaveLength(early.length + late.length)
    })
    fc.assert(property)
  })
})

describe('a planted bug is found', () => {
  it.each(orderBugs)('$name', ({ order, plant }) => {
    const takeOut = plant?.()
    try {
      const isRight = (game: OrderGame) => playOrder(game, order).wrong.length === 0
      const { failed } = fc.check(fc.property(orderGames, isRight), {
        numRuns: GAMES_PER_BUG,
        seed: 1,
        endOnFailure: true,
      })
      expect(failed).toBe(true)
    } finally {
      takeOut?.()
    }
  })
})
