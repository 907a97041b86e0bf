/** G1 on a virtual clock: the real ledger against a plain model of it, in games of random moves. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { referee } from './ledger-game.ts'
import { type Game, games } from './ledger-moves.ts'
import type { Fault } from './ledger-scenario.ts'
import { plantedBugs, plantedFaults, plantedFlowBugs } from './planted-faults.ts'

/**
 * More of them: `LEDGER_RUNS=10000 LEDGER_SEED=1 npx vitest run --project fast test/simulation`.
 */
const RUNS = Number(process.env.LEDGER_RUNS ?? 1_000)
const SEED = process.env.LEDGER_SEED === undefined ? {} : { seed: Number(process.env.LEDGER_SEED) }
/** Allowed for each run, on a slow machine. */
const RUN_MS = 50
/** So many games have always shown everything. */
const RUNS_TO_SEE_ALL = 1_000
/** A planted bug must show within so many games. */
const GAMES_PER_BUG = 1_000
/** All that a ledger does. Games in which it never does one of these say nothing about that one. */
const SOMETIMES = [
  'a letter was met by a key',
  'abort: expired',
  'abort: requested',
  'abort: shutdown',
  'abort: timedOut',
  'answered at once',
  'answered in the queue',
  'blocked',
  'ended cancelled TASK_CANCELLED',
  'ended failed BROWSER_LOST',
  'ended failed DEPENDENCY_FAILED',
  'ended failed TASK_EXPIRED',
  'ended failed TASK_FAILED',
  'ended failed TASK_TIMED_OUT',
  'ended failed WORKER_LOST',
  'ended failed WORKER_START_FAILED',
  'ended succeeded',
  'halted',
  'kill: cancelled',
  'progressed',
  'redriven',
  'retried',
  'started',
  'stood in false',
  'stood in true',
  'told of ended',
  'told pool ledger.emptied',
  'told shutdown ledger.calmed',
]

function isFound(fault: (() => Fault) | null): boolean {
  const isRight = (game: Game) => referee(game, fault?.() ?? null).wrong.length === 0
  const { failed } = fc.check(fc.property(games, isRight), {
    numRuns: GAMES_PER_BUG,
    endOnFailure: true,
  })
  return failed
}

describe('the ledger', () => {
  it(
    'does what the model says, whatever happens in whatever order',
    () => {
      const seen = new Set<string>()
      const play = (game: Game) => {
        const judged = referee(game)
        for (const action of judged.seen) seen.add(action)
        expect(judged.wrong).toEqual([])
      }
      fc.assert(fc.property(games, play), { numRuns: RUNS, ...SEED })
      if (RUNS >= RUNS_TO_SEE_ALL) expect([...seen].toSorted()).toEqual(SOMETIMES)
    },
    30_000 + RUNS * RUN_MS,
  )

  it('gives the same actions for the same moves', () => {
    fc.assert(
      fc.property(games, (game) => {
        expect(referee(game).trace).toEqual(referee(game).trace)
      }),
    )
  })
})

describe('a planted bug is found', () => {
  it.each(plantedFaults.map((fault) => ({ fault, name: fault().name })))('$name', ({ fault }) => {
    expect(isFound(fault)).toBe(true)
  })

  it.each([...plantedBugs, ...plantedFlowBugs])('$name', ({ plant }) => {
    const takeOut = plant()
    try {
      expect(isFound(null)).toBe(true)
    } finally {
      takeOut()
    }
  })
})
