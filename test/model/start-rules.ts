/**
 * When nothing may start, and when nothing may be said to be over: judged at the very moment in
 * which it is said.
 */
import {
  violationOfCleanEnd,
  violationOfFork,
  violationOfRun,
} from '../../src/testing/pool-invariants.ts'
import { slotName } from './routes.ts'
import { hostAt, type System } from './system.ts'
import { viewOf } from './view.ts'

type Action = 'fork' | 'run' | 'kill' | 'other'

const ACTIONS: Readonly<Record<string, Action>> = {
  'process.fork': 'fork',
  'process.run': 'run',
  'process.kill': 'kill',
}

export class StartRules {
  readonly #system: System
  readonly #actions: Action[] = []

  constructor(system: System) {
    this.#system = system
  }

  judge(row: ArrayLike<number>, slot: number, event: number): string | null {
    let action = this.#actions[event]
    if (action === undefined) {
      const { type } = this.#system.messages.event(event)
      action = ACTIONS[type] ?? 'other'
      this.#actions[event] = action
    }
    if (action === 'other') return null
    if (action === 'kill') return this.#judgeKill(row, slot, event)
    return action === 'run'
      ? violationOfRun({ pool: this.#system.poolValue(row) })
      : violationOfFork(viewOf(this.#system, row), slotName(slot))
  }

  /** A shutdown that says it was clean has left no process. */
  judgeEnd(row: ArrayLike<number>, event: number): string | null {
    const { type, clean } = this.#system.messages.event(event) as { type: string; clean?: boolean }
    if (type !== 'shutdown.finished' || clean !== true) return null
    return violationOfCleanEnd(viewOf(this.#system, row))
  }

  /** While the pool is up, what hangs beside a healthy process is no reason to kill it. */
  #judgeKill(row: ArrayLike<number>, slot: number, event: number): string | null {
    const pool = this.#system.poolValue(row)
    if (pool !== 'running' && pool !== 'paused') return null
    // Short of memory, the largest goes, whoever hangs beside it.
    if (this.#system.plan.readings.includes('memory')) return null
    const { incarnation } = this.#system.messages.event(event) as unknown as { incarnation: number }
    const { processes } = this.#system.host.at(row[hostAt(slot)] as number)
    const own = processes.find((process) => process.incarnation === incarnation)
    const isHealthy = own?.phase === 'ready' && !own.isHung && !own.isLeaving
    const isForAnother = processes.some(({ isHung, isKilled }) => isHung && !isKilled)
    return isHealthy && isForAnother ? 'a healthy process is killed for another of its slot' : null
  }
}
