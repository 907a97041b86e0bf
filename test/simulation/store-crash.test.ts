/** G1 across the death of the pool: the real ledger on a real file, killed and started again. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ExitCause, Verdict } from '../../machines/protocol.ts'
import type { NormalTaskOptions } from '../../src/config/task-option-checks.ts'
import { sqliteGround, StoreTime } from '../support/store-bench.ts'
import { StoreLife } from '../support/store-life.ts'

/** More of them: `STORE_RUNS=10000 npx vitest run --project fast test/simulation/store-crash`. */
const RUNS = Number(process.env.STORE_RUNS ?? 60)
/** Allowed for each, on a slow disk. */
const RUN_MS = 400
/** The rarest of them is seen in every 17th run. */
const RUNS_TO_SEE_ALL = 500
const SOMETIMES = [
  'crashed while tasks ran',
  'crashed before the acknowledgement',
  'ended cancelled',
  'ended failed',
  'ended succeeded',
  'kept',
  'refused STORE_FULL',
  'shutdown failed',
  'shutdown graceful',
  'shutdown halt',
  'trouble STORE_FULL',
  'trouble over',
]

type Action =
  | 'submit'
  | 'report'
  | 'exit'
  | 'cancel'
  | 'pass'
  | 'dieAt'
  | 'crash'
  | 'shutdown'
  | 'fill'
type Move = readonly [Action, ...unknown[]]

const at = fc.nat({ max: 20 })
const options = fc.record({
  attempts: fc.integer({ min: 1, max: 3 }),
  idempotent: fc.boolean(),
  delay: fc.constantFrom(0, 0, 0, 50),
  deadline: fc.constantFrom(0, 0, 0, 5_000),
  timeout: fc.constantFrom(0, 300),
  priority: fc.constantFrom(0, 10),
})
const verdicts = fc.constantFrom<Verdict>('ok', 'ok', 'retryable', 'permanent', 'released')
const causes = fc.constantFrom<ExitCause>(
  'crashed',
  'silent',
  'recycled',
  'memory',
  'memoryShortage',
)
const endings = fc.constantFrom('graceful', 'failed', 'halt')
/** A submission gets its id when it is played. */
const moves = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constant('submit'), fc.constant(''), options) },
  { weight: 5, arbitrary: fc.tuple(fc.constant('report'), at, verdicts) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('exit'), at, causes) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('cancel'), at) },
  { weight: 6, arbitrary: fc.tuple(fc.constant('pass'), fc.constantFrom(0, 1, 20, 400, 3_000)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('dieAt'), fc.nat({ max: 12 })) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('crash')) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('shutdown'), endings) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('fill'), fc.boolean()) },
) as fc.Arbitrary<Move>

function play(life: StoreLife, [action, ...args]: Move, index: number): void {
  if (action === 'submit') life.submit(`t${index}`, args[1] as Partial<NormalTaskOptions>)
  else (life[action] as (...given: unknown[]) => void)(...args)
}

describe('tasks in a durable store', () => {
  it.each(['each', 'batched'] as const)(
    'are never lost and never end twice, whenever the pool dies (%s)',
    (durability) => {
      const seen = new Set<string>()
      const judge = (game: readonly Move[]) => {
        using ground = sqliteGround(new StoreTime())
        const life = new StoreLife(ground, { durability })
        for (const [index, move] of game.entries()) play(life, move, index)
        life.finish()
        for (const one of life.seen) seen.add(one)
        expect(life.wrong).toEqual([])
      }
      const games = fc.array(moves, { minLength: 5, maxLength: 40 })
      fc.assert(fc.property(games, judge), { numRuns: RUNS })
      if (RUNS < RUNS_TO_SEE_ALL) return
      const isSeen = (what: string) =>
        seen.has(what) || (durability === 'each' && what === 'crashed before the acknowledgement')
      expect(SOMETIMES.filter((what) => !isSeen(what))).toEqual([])
    },
    30_000 + RUNS * RUN_MS,
  )
})
