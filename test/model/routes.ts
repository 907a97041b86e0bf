/** Who hears which command, exactly as `src/pool/runtime.ts` carries it. */
import type { EventObject } from 'xstate'
import type { ProcessesKilled, WorkersTold } from '../../machines/supervisor-words.ts'
import type { Command } from '../support/explore.ts'
import type { Route } from './machine-actor.ts'
import type { ActorKind, Output, Words } from './memo.ts'

export const slotName = (slot: number) => `worker-${slot + 1}` as const
export const slotNumber = (name: string) => Number(name.slice(7)) - 1

/** What the machine of the first slot says, said by another slot. */
const saidBy = (slot: number, event: EventObject): EventObject =>
  event !== undefined && 'slot' in event
    ? ({ ...event, slot: slotName(slot) } as EventObject)
    : event

export function routesOf(
  words: Words,
  workers: number,
): Record<'pool' | 'supervisor' | 'shutdown' | 'worker', Route> {
  const to = (kind: ActorKind, slot: number, event: EventObject): Output => ({
    to: kind,
    slot,
    event: words.id(event),
  })
  const toWorkers = ({ slots, event }: WorkersTold) =>
    slots.map((slot) => to('worker', slotNumber(slot), event))
  const toProcesses = ({ processes, cause }: ProcessesKilled) =>
    processes.map(({ slot, incarnation }) => {
      const event = { type: 'worker.kill', incarnation, cause } as EventObject
      return to('worker', slotNumber(slot), event)
    })
  const toSupervisor = (event: EventObject): Output[] => {
    const watch = { 'pool.opened': 'watch.begin', 'pool.closed': 'watch.end' }[event.type]
    const first = watch === undefined ? [] : [to('keeper', 0, { type: watch })]
    return [...first, to('supervisor', 0, event)]
  }
  /** What `src/pool/last-resort.ts` does, whatever the actors know. */
  const slots = Array.from({ length: workers }, (_, slot) => slot)
  const abort = [
    to('shutdown', 0, { type: 'run.aborted' }),
    ...slots.flatMap((slot) => [
      to('worker', slot, { type: 'worker.stop' }),
      to('worker', slot, {
        type: 'worker.kill',
        incarnation: null,
        cause: 'stopped',
      } as EventObject),
      to('host', slot, { type: 'process.killAll' }),
    ]),
    to('keeper', 0, { type: 'run.abort' }),
  ]
  const common = ({ type, params }: Command): readonly Output[] => {
    const event = params as EventObject
    switch (type) {
      case 'ledger.tell':
        return [to('ledger', 0, event)]
      case 'pool.tell':
        return [to('pool', 0, event)]
      case 'shutdown.tell':
        return [to('shutdown', 0, event)]
      case 'supervisor.tell':
        return toSupervisor(event)
      case 'workers.tell':
        return toWorkers(params as WorkersTold)
      case 'processes.kill':
        return toProcesses(params as ProcessesKilled)
      case 'run.open':
      case 'run.close':
      case 'run.sweep':
        return [to('keeper', 0, { type })]
      case 'run.abort':
        return abort
      case 'actors.open':
      case 'event.unexpected':
        return []
      default:
        throw new Error(`nobody carries ${type}`)
    }
  }
  return {
    pool: common,
    supervisor: common,
    shutdown: common,
    worker: ({ type, params }, slot) => {
      const said = params as EventObject & { incarnation: number }
      const isDeed = type.startsWith('process.') || type === 'session.open'
      if (isDeed) return [to('host', slot, { type, incarnation: said.incarnation } as EventObject)]
      return common({ type, params: saidBy(slot, said) })
    },
  }
}
