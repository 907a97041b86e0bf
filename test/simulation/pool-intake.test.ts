/**
 * The door of a pool in virtual time: whatever callers ask for at once, with whatever faults beneath,
 * every one of them gets an answer, and no limit is passed.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { isTroupeError, type PlainTaskContext, task } from '../../src/index.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { simulatePool } from '../../src/testing/index.ts'

const RUNS = Number(process.env.INTAKE_RUNS ?? 50)
/** So many games have always shown every kind of answer. */
const RUNS_TO_SEE_ALL = 1_000
const SOMETIMES = ['DRAINING', 'QUEUE_FULL', 'TASK_CANCELLED', 'TASK_FAILED', 'answered']
const tasks = {
  work: task({ browser: false }, async ({ payload, signal }: PlainTaskContext<number>) => {
    await sleep(payload, undefined, { signal })
    if (payload % 4 === 3) throw new Error('it failed')
    return payload
  }),
}

const ask = fc.record({
  how: fc.constantFrom('run', 'run', 'submit', 'batch', 'map', 'accepting', 'redrive'),
  payload: fc.nat({ max: 40 }),
  parent: fc.nat({ max: 5 }),
  isStubborn: fc.boolean(),
  abortAfterMs: fc.option(fc.nat({ max: 60 }), { nil: null }),
  pauseMs: fc.constantFrom(0, 0, 5, 30),
})
type Ask = Drawn<typeof ask> & { readonly place: number }

const games = fc.record({
  maxQueue: fc.integer({ min: 1, max: 4 }),
  queueFull: fc.constantFrom('wait', 'wait', 'reject'),
  seed: fc.nat(),
  crash: fc.constantFrom(0, 0, 0.1),
  asks: fc.array(ask, { minLength: 1, maxLength: 14 }),
  ending: fc.constantFrom('drain', 'shutdown', 'force'),
})

type Drawn<T> = T extends fc.Arbitrary<infer Value> ? Value : never
type Game = Drawn<typeof games>
type Pool = Parameters<Parameters<ReturnType<typeof simulate>['run']>[0]>[0]

function simulate({ maxQueue, queueFull, seed, crash }: Game) {
  return simulatePool({
    tasks,
    workers: 2,
    maxQueue,
    queueFull,
    seed,
    faults: crash === 0 ? {} : { crash },
    task: { attempts: 2, backoff: { delay: 5 } },
  })
}

/** Asks for it and gives what came of it: the code of the error it was refused with, or `answered`. */
async function answer(pool: Pool, made: Ask, ids: string[]): Promise<string> {
  try {
    await sleep(made.pauseMs)
    await act(pool, made, ids)
    return 'answered'
  } catch (error) {
    if (isTroupeError(error)) return error.code
    throw error
  }
}

async function act(pool: Pool, made: Ask, ids: string[]): Promise<unknown> {
  const { how, payload, parent, isStubborn, abortAfterMs } = made
  const controller = new AbortController()
  if (abortAfterMs !== null) setTimeout(() => controller.abort(), abortAfterMs)
  const options = {
    dependsOn: ids.slice(-parent - 1, ids.length - parent),
    dependencyFailure: isStubborn ? 'run' : 'fail',
    signal: controller.signal,
  } as const
  switch (how) {
    case 'run':
      return pool.run('work', payload, options)
    case 'submit': {
      const handle = pool.submit('work', payload, options)
      ids.push(handle.id)
      return handle.outcome()
    }
    case 'batch': {
      const id = `batch-${ids.length}-${made.place}`
      const handles = pool.submitAll([
        { name: 'work', payload, options: { dependsOn: [id] } },
        { name: 'work', payload, options: { ...options, id } },
      ])
      return Promise.all(handles.map((handle) => handle.outcome()))
    }
    case 'map': {
      for await (const outcome of pool.map('work', [payload, 3, payload], { concurrency: 2 })) {
        await sleep(outcome.attempts)
      }
      return null
    }
    case 'accepting':
      return pool.accepting()
    case 'redrive':
      return Promise.all(pool.deadLetters.redriveAll().redriven.map((handle) => handle.outcome()))
  }
}

async function play(game: Game, answers: Set<string>): Promise<void> {
  await simulate(game).run(async (pool) => {
    const ids: string[] = []
    let most = 0
    pool.on('task.started', () => {
      most = Math.max(most, pool.status().tasks.pending)
    })
    const asked = game.asks.map((made, place) => answer(pool, { ...made, place }, ids))
    if (game.ending !== 'drain') {
      await sleep(20)
      await pool.shutdown({ force: game.ending === 'force' })
    }
    for (const reported of await Promise.all(asked)) answers.add(reported)
    // What comes back from a worker waits besides: the limit is for what comes in.
    const cameBack = pool.status().tasks.retried + game.crash
    if (cameBack === 0) expect(most).toBeLessThanOrEqual(game.maxQueue)
    expect(pool.results().unended).toBe(0)
  })
}

describe('the intake', () => {
  it('answers every caller, whatever is asked at once and whatever goes wrong', async () => {
    const answers = new Set<string>()
    const property = fc.asyncProperty(games, (game) => play(game, answers))
    await fc.assert(property, { numRuns: RUNS })
    if (RUNS >= RUNS_TO_SEE_ALL) expect([...answers]).toEqual(expect.arrayContaining(SOMETIMES))
  }, 120_000)

  it('refuses whatever is no task, no query and no filter, and by a TroupeError alone', async () => {
    const simulation = simulatePool({ tasks, workers: 1, maxQueue: 5 })
    const { outcomes } = await simulation.run((pool) => {
      const calls: readonly ((input: never) => unknown)[] = [
        (input) => pool.submitAll(input),
        (input) => pool.submitAll([input]),
        (input) => pool.submit('work', 1, input),
        (input) => pool.deadLetters.list(input),
        (input) => pool.deadLetters.redriveAll(input),
        (input) => pool.deadLetters.deleteAll(input),
        (input) => pool.deadLetters.redrive(input),
        (input) => pool.results(input),
      ]
      const isRefusedWell = (input: unknown, index: number) => {
        try {
          calls[index]?.(input as never)
        } catch (error) {
          if (!isTroupeError(error)) throw error
        }
      }
      const call = fc.nat({ max: calls.length - 1 })
      fc.assert(fc.property(fc.anything(), call, isRefusedWell), { numRuns: 1_000 })
    })
    // An empty object is a task's options.
    expect(outcomes.every(({ name }) => name === 'work')).toBe(true)
  })

  it('is found out when nobody is told of room', async () => {
    const planted = vi.spyOn(Ledger.prototype, 'awaitRoom').mockReturnValue()
    try {
      const property = fc.asyncProperty(games, (game) => play(game, new Set()))
      // The first game that shows it ends the search: one in some dozens does.
      const { failed } = await fc.check(property, { numRuns: 20 * RUNS, endOnFailure: true })
      expect(failed).toBe(true)
    } finally {
      planted.mockRestore()
    }
  })
})
