/** When nothing may start, judged at the very moment in which a worker orders a fork or a run. */
import type { AnyMachineSnapshot } from 'xstate'
import type { SupervisorContext } from '../../machines/supervisor-facts.ts'
import { slotName } from './routes.ts'
import { AT, hostAt, type System } from './system.ts'

type Deed = 'fork' | 'run' | 'other'

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
      deed = type === 'process.fork' ? 'fork' : type === 'process.run' ? 'run' : 'other'
      this.#deeds[event] = deed
    }
    if (deed === 'other') return null
    return deed === 'run' ? this.#judgeRun(row) : this.#judgeFork(row, slot)
  }

  #judgeRun(row: ArrayLike<number>): string | null {
    const pool = this.#system.poolValue(row)
    if (pool === 'paused') return 'a task was started while the pool is paused'
    if (pool === 'running' || pool === 'starting') return null
    return `a task was started while the pool is ${pool}`
  }

  #judgeFork(row: ArrayLike<number>, slot: number): string | null {
    const { plan, supervisor, shutdown, host } = this.#system
    const pool = this.#system.poolValue(row)
    if (pool === 'idle' || pool === 'error') return `a process was started while the pool is ${pool}`
    const end = shutdown.at(row[AT.shutdown] as number).value
    if (pool === 'stopping' && end !== 'draining') return `a process was started while the shutdown is ${String(end)}`
    const { value, context } = supervisor.at(row[AT.supervisor] as number) as AnyMachineSnapshot
    const restarts = (value as { restarts: unknown }).restarts
    if (restarts === 'open') return 'a process was started while the breaker is open'
    const { starting } = context as SupervisorContext
    if (starting.length > plan.maxStarting) return 'more processes start at once than may'
    if (!starting.includes(slotName(slot))) return 'a process was started without leave'
    if (typeof restarts === 'object' && starting.length > 1) return 'a half-open breaker has two probes'
    let processes = 0
    for (let slot = 0; slot < plan.workers; slot++) {
      processes += host.at(row[hostAt(slot)] as number).processes.length
    }
    return processes >= 2 * plan.workers ? 'more processes live than two for each slot' : null
  }
}
