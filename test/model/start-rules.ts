/**
 * When nothing may start, and when nothing may be said to be over: judged at the very moment in
 * which it is said.
 */
import { flawOfCleanEnd, flawOfFork, flawOfRun } from '../../src/testing/pool-invariants.ts'
import { slotName } from './routes.ts'
import { hostAt, type System } from './system.ts'
import { viewOf } from './view.ts'

type Deed = 'fork' | 'run' | 'kill' | 'other'

const DEEDS: Readonly<Record<string, Deed>> = {
  'process.fork': 'fork',
  'process.run': 'run',
  'process.kill': 'kill',
}

export class StartRules {
  readonly #system: System
  readonly #deeds: Deed[] = []

  constructor(system: System) {
    this.#system = system
  }

  judge(row: ArrayLike<number>, slot: number, event: number): string | null {
    let deed = this.#deeds[event]
    if (deed === undefined) {
      const { type } = this.#system.words.event(event)
      deed = DEEDS[type] ?? 'other'
      this.#deeds[event] = deed
    }
    if (deed === 'other') return null
    if (deed === 'kill') return this.#judgeKill(row, slot, event)
    return deed === 'run'
      ? flawOfRun({ pool: this.#system.poolValue(row) })
      : flawOfFork(viewOf(this.#system, row), slotName(slot))
  }

  /** A shutdown that says it was clean has left no process. */
  judgeEnd(row: ArrayLike<number>, event: number): string | null {
    const { type, clean } = this.#system.words.event(event) as { type: string; clean?: boolean }
    if (type !== 'shutdown.finished' || clean !== true) return null
    return flawOfCleanEnd(viewOf(this.#system, row))
  }

  /** While the pool is up, what hangs beside a healthy process is no reason to kill it. */
  #judgeKill(row: ArrayLike<number>, slot: number, event: number): string | null {
    const pool = this.#system.poolValue(row)
    if (pool !== 'running' && pool !== 'paused') return null
    // Short of memory, the largest goes, whoever hangs beside it.
    if (this.#system.plan.readings.includes('memory')) return null
    const { incarnation } = this.#system.words.event(event) as unknown as { incarnation: number }
    const { processes } = this.#system.host.at(row[hostAt(slot)] as number)
    const own = processes.find((process) => process.incarnation === incarnation)
    const isHealthy = own?.phase === 'ready' && !own.isHung && !own.isLeaving
    const isForAnother = processes.some(({ isHung, isKilled }) => isHung && !isKilled)
    return isHealthy && isForAnother ? 'a healthy process is killed for another of its slot' : null
  }
}
