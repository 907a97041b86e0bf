import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { judge } from './ledger-game.ts'
import { games } from './ledger-moves.ts'

/** More of them: `LEDGER_RUNS=10000 LEDGER_SEED=1 npx vitest run test/simulation`. */
const RUNS = Number(process.env.LEDGER_RUNS ?? 1_000)
const SEED = process.env.LEDGER_SEED === undefined ? {} : { seed: Number(process.env.LEDGER_SEED) }
const RUNS_PER_SECOND_AT_LEAST = 20

describe('the ledger', () => {
  it(
    'does what the model says, whatever happens in whatever order',
    () => {
      fc.assert(
        fc.property(games, (game) => {
          expect(judge(game)).toEqual([])
        }),
        { numRuns: RUNS, ...SEED },
      )
    },
    30_000 + (RUNS / RUNS_PER_SECOND_AT_LEAST) * 1_000,
  )
})
