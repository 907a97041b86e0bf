/**
 * Words that come too late or twice: of a process that is gone, of one that has said them before,
 * of an attempt that is over. In every row each of them is tried, and nothing may come of it.
 */
import type { AnyMachineSnapshot, EventObject } from 'xstate'
import type { WorkerContext } from '../../machines/worker.setup.ts'
import { isAborting } from '../../src/testing/pool-invariants.ts'
import { LOST, type ModelProcess } from './host-actor.ts'
import { slotName } from './routes.ts'
import { AT, hostAt, type System, workerAt } from './system.ts'

const GONE = { code: null, signal: 'SIGKILL' }
const SENT: readonly [type: string, facts: object][] = [
  ['process.loaded', {}],
  ['session.launched', {}],
  ['session.ready', {}],
  ['session.failed', { error: LOST, permanent: true }],
  ['process.exited', { exit: GONE, error: null, random: 0.5, atMs: 0 }],
  ['tasks.ended', { count: 1 }],
  ['retire.requested', {}],
]
/** Older than any that lives. */
const OLD = 0

const known = new WeakMap<System, Set<string>>()

/**
 * The first stale word that changes something, or null. What one machine does with a word is asked
 * once.
 */
export function staleViolation(system: System, row: ArrayLike<number>): string | null {
  if (isAborting((system.pool.at(row[AT.pool] as number) as AnyMachineSnapshot).value)) return null
  const asked = known.get(system) ?? new Set()
  known.set(system, asked)
  const ledger = row[AT.ledger] as number
  const ledgerKey = `ledger ${ledger}`
  if (!asked.has(ledgerKey)) {
    asked.add(ledgerKey)
    const violation = staleReport(system, ledger)
    if (violation !== null) return violation
  }
  for (let slot = 0; slot < system.plan.workers; slot++) {
    const worker = row[workerAt(slot)] as number
    const key = `${worker} ${row[hostAt(slot)]}`
    if (asked.has(key)) continue
    asked.add(key)
    const violation = staleMessage(system, worker, row[hostAt(slot)] as number)
    if (violation !== null) return violation
  }
  return null
}

function staleMessage(system: System, worker: number, host: number): string | null {
  const { processes } = system.host.at(host)
  const { incarnation } = system.worker.at(worker).context as WorkerContext
  const old = new Set<number>([OLD, OLD - 1])
  if (!processes.some((process) => process.incarnation === incarnation)) old.add(incarnation)
  for (const stamp of old) {
    for (const [type, facts] of SENT) {
      const violation = changeBy(system, worker, {
        type,
        incarnation: stamp,
        ...facts,
      } as EventObject)
      if (violation !== null) return violation
    }
  }
  // A living process may say twice what it has said before.
  for (const process of processes) {
    for (const type of saidBy(process)) {
      const event = { type, incarnation: process.incarnation } as EventObject
      const violation = changeBy(system, worker, event)
      if (violation !== null && !(type === 'process.loaded' && process.phase === 'loaded'))
        return violation
    }
  }
  return null
}

/** What is lost on its way has not been said. */
function saidBy({ phase, isMute }: ModelProcess): readonly string[] {
  if (phase === 'loading' || (isMute && phase !== 'ready')) return []
  const said = ['process.loaded']
  if (phase === 'launched') return [...said, 'session.launched']
  return phase === 'ready' && !isMute ? [...said, 'session.launched', 'session.ready'] : said
}

function changeBy(system: System, worker: number, event: EventObject): string | null {
  const { next, out, violation } = system.worker.take(worker, system.messages.id(event), 0)
  if (violation !== null) return violation
  if (next === worker && out.length === 0) return null
  const place = JSON.stringify(system.worker.at(worker).value)
  return `a stale ${event.type} changes a worker in ${place}`
}

/** Reports of attempts that are over, or of a process that does not have the task. */
function staleReport(system: System, ledger: number): string | null {
  const { tasks, workers } = system.ledger.at(ledger)
  for (const [task, { attempt, isSubmitted }] of tasks.entries()) {
    if (!isSubmitted) continue
    const none: readonly number[] = []
    const places = [...workers, { slot: slotName(0), incarnation: OLD, tasks: none }]
    for (const { slot, incarnation, tasks: seated } of places) {
      const attempts = seated.includes(task) ? [attempt - 1] : [attempt]
      for (const stamp of attempts) {
        for (const verdict of ['started', 'ok']) {
          const event = {
            type: 'attempt.reported',
            slot,
            incarnation,
            task,
            attempt: stamp,
            verdict,
          } as EventObject
          const { next, out } = system.ledger.take(ledger, system.messages.id(event), 0)
          if (next !== ledger || out.length > 0)
            return `a stale report (${verdict}) changes the ledger`
        }
      }
    }
  }
  return null
}
