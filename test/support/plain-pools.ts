/**
 * What tests of plain pools have in common: a pool that ends with its test, files for its tasks, and
 * short words for what was refused or came out. Imported by test files only: it sets hooks.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll } from 'vitest'
import { type PoolActor, type PoolOptions, type TaskOutcome, TroupeError } from '../../src/index.ts'
import { type PlainTasks, type PoolUnderTest, plainPool } from './pool-under-test.ts'

interface PlainPools {
  /** A started pool. One for each test. */
  start(options?: Partial<PoolOptions>): PoolActor<PlainTasks>
  /** A path of which nobody else knows. Nothing is there yet. */
  file(): string
}

/** Called once at the top of a test file. */
export function plainPools(): PlainPools {
  let folder = ''
  let files = 0
  let troupe: PoolUnderTest<PlainTasks> | null = null
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'troupe-plain-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))
  afterEach(async () => {
    await troupe?.[Symbol.asyncDispose]()
    troupe = null
  })
  return {
    start(options = {}) {
      troupe = plainPool(options)
      return troupe.pool.start()
    },
    file: () => join(folder, `file-${files++}`),
  }
}

/** What `act` throws. */
export function refusal(act: () => unknown): TroupeError {
  try {
    act()
  } catch (error) {
    if (error instanceof TroupeError) return error
  }
  throw new Error('it was not refused')
}

export function codeOf(facts: unknown): string {
  return (facts as { code: string }).code
}

/** The value, or how the task ended and why. */
export function reported(outcome: TaskOutcome): unknown {
  return outcome.status === 'succeeded' ? outcome.value : `${outcome.status} ${outcome.error.code}`
}
