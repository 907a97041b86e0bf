/**
 * What a client knows of its own tasks: what it has handed in and what it was told of each. This is
 * the oracle for "exactly once" (G1); it asks the pool for nothing but the outcomes.
 */
import { isDeepStrictEqual } from 'node:util'
import type { PoolActor, TaskHandle, TaskOptions, TaskOutcome } from '../../src/index.ts'

export type ChaosTasks = typeof import('./chaos-tasks.ts')
export type ChaosPool = PoolActor<ChaosTasks>
type Names = keyof ChaosTasks['default']['tasks']

interface Entry {
  /** Ends that the pool's events told. */
  reported: number
  isSettled: boolean
}

export interface OracleSummary {
  readonly submitted: number
  readonly settledOnce: number
  readonly lost: number
  readonly doubled: number
  /** Successes with another task's value. */
  readonly wrong: number
  readonly succeeded: number
  readonly failed: number
  readonly cancelled: number
  /** Why honest tasks failed, and how often: those that were to succeed. */
  readonly failures: Readonly<Record<string, number>>
}

const SHOWN_MESSAGE_LENGTH = 120

export class ClientOracle {
  readonly #pool: ChaosPool
  readonly #entries = new Map<string, Entry>()
  readonly #counts = { succeeded: 0, failed: 0, cancelled: 0 }
  readonly #failures: Record<string, number> = {}
  #wrong = 0

  constructor(pool: ChaosPool) {
    this.#pool = pool
    for (const type of ['task.succeeded', 'task.failed', 'task.cancelled'] as const) {
      pool.on(type, ({ taskId }) => this.#entry(taskId).reported++)
    }
  }

  submit(name: Names, payload: unknown, options: TaskOptions, expected?: unknown): TaskHandle {
    const handle = this.#pool.submit(name, payload as never, options) as TaskHandle
    const entry = this.#entry(handle.id)
    void handle.outcome().then((outcome) => this.#settle(entry, outcome, expected))
    return handle
  }

  summary(): OracleSummary {
    const entries = [...this.#entries.values()]
    return {
      submitted: entries.length,
      settledOnce: entries.filter(({ isSettled, reported }) => isSettled && reported === 1).length,
      lost: entries.filter(({ isSettled, reported }) => !isSettled || reported === 0).length,
      doubled: entries.filter(({ reported }) => reported > 1).length,
      wrong: this.#wrong,
      ...this.#counts,
      failures: this.#failures,
    }
  }

  #entry(taskId: string): Entry {
    let entry = this.#entries.get(taskId)
    if (entry === undefined) {
      entry = { reported: 0, isSettled: false }
      this.#entries.set(taskId, entry)
    }
    return entry
  }

  #settle(entry: Entry, outcome: TaskOutcome, expected: unknown): void {
    entry.isSettled = true
    this.#counts[outcome.status]++
    if (expected === undefined) return
    if (outcome.status !== 'succeeded') {
      const { code, message } = outcome.error
      const reason = `${code} ${message}`.slice(0, SHOWN_MESSAGE_LENGTH)
      this.#failures[reason] = (this.#failures[reason] ?? 0) + 1
    } else if (!isDeepStrictEqual(outcome.value, expected)) this.#wrong++
  }
}
