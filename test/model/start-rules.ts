/**
 * When nothing may start, and when nothing may be said to be over: judged at the very moment in
 * which it is said.
 */
import type { AnyMachineSnapshot } from 'xstate'
import type { SupervisorContext } from '../../machines/supervisor-facts.ts'
import { slotName } from './routes.ts'
import { AT, hostAt, type System } from './system.ts'

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
    return deed === 'run' ? this.#judgeRun(row) : this.#judgeFork(row, slot)
  }

  /** A shutdown that says it was clean has left no process. */
  judgeEnd(row: ArrayLike<number>, event: number): string | null {
    const { type, clean } = this.#system.words.event(event) as { type: string; clean?: boolean }
    if (type !== 'shutdown.finished' || clean !== true) return null
    return this.#living(row) > 0 ? 'a clean end was told while a process lives' : null
  }

  #living(row: ArrayLike<number>): number {
    let processes = 0
    for (let slot = 0; slot < this.#system.plan.workers; slot++) {
      processes += this.#system.host.at(row[hostAt(slot)] as number).processes.length
    }
    return processes
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

  #judgeRun(row: ArrayLike<number>): string | null {
    const pool = this.#system.poolValue(row)
    if (pool === 'paused') return 'a task was started while the pool is paused'
    if (pool === 'running' || pool === 'starting') return null
    return `a task was started while the pool is ${pool}`
  }

  #judgeFork(row: ArrayLike<number>, slot: number): string | null {
    const { plan, supervisor, shutdown } = this.#system
    const pool = this.#system.poolValue(row)
    if (pool === 'idle' || pool === 'error')
      return `a process was started while the pool is ${pool}`
    const end = shutdown.at(row[AT.shutdown] as number).value
    if (pool === 'stopping' && end !== 'draining')
      return `a process was started while the shutdown is ${String(end)}`
    const { value, context } = supervisor.at(row[AT.supervisor] as number) as AnyMachineSnapshot
    const restarts = (value as { restarts: unknown }).restarts
    if (restarts === 'open') return 'a process was started while the breaker is open'
    const { starting } = context as SupervisorContext
    if (starting.length > plan.maxStarting) return 'more processes start at once than may'
    if (!starting.includes(slotName(slot))) return 'a process was started without leave'
    if (typeof restarts === 'object' && starting.length > 1)
      return 'a half-open breaker has two probes'
    return this.#living(row) >= 2 * plan.workers
      ? 'more processes live than two for each slot'
      : null
  }
}
