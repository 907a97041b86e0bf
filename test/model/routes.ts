/** Who hears which command, exactly as `src/pool/runtime.ts` carries it. */
import type { EventObject } from 'xstate'
import type { ProcessesKilled, WorkersSend } from '../../machines/supervisor-messages.ts'
import type { Command } from '../support/explore.ts'
import type { Route } from './machine-actor.ts'
import type { ActorKind, Output, Messages } from './memo.ts'

export const slotName = (slot: number) => `worker-${slot + 1}` as const
export const slotNumber = (name: string) => Number(name.slice(7)) - 1

/** What the machine of the first slot says, said by another slot. */
const saidBy = (slot: number, event: EventObject): EventObject =>
  event !== undefined && 'slot' in event
    ? ({ ...event, slot: slotName(slot) } as EventObject)
    : event

export function routesOf(
  messages: Messages,
  workers: number,
): Record<'pool' | 'supervisor' | 'shutdown' | 'worker', Route> {
  const to = (kind: ActorKind, slot: number, event: EventObject): Output => ({
    to: kind,
    slot,
    event: messages.id(event),
  })
  const toWorkers = ({ slots, event }: WorkersSend) =>
    slots.map((slot) => to('worker', slotNumber(slot), event))
  const toProcesses = ({ processes, cause }: ProcessesKilled) =>
    processes.map(({ slot, incarnation }) => {
      const event = { type: 'worker.kill', incarnation, cause } as EventObject
      return to('worker', slotNumber(slot), event)
    })
  const toSupervisor = (event: EventObject): Output[] => {
    const watch = { 'pool.opened': 'watch.begin', 'pool.closed': 'watch.end' }[event.type]
    const first = watch === undefined ? [] : [to('run', 0, { type: watch })]
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
    to('run', 0, { type: 'run.abort' }),
  ]
  const common = ({ type, params }: Command): readonly Output[] => {
    const event = params as EventObject
    switch (type) {
      case 'ledger.send':
        return [to('ledger', 0, event)]
      case 'pool.send':
        return [to('pool', 0, event)]
      case 'shutdown.send':
        return [to('shutdown', 0, event)]
      case 'supervisor.send':
        return toSupervisor(event)
      case 'workers.send':
        return toWorkers(params as WorkersSend)
      case 'processes.kill':
        return toProcesses(params as ProcessesKilled)
      case 'run.open':
      case 'run.close':
      case 'run.sweep':
        return [to('run', 0, { type })]
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
      const isAction = type.startsWith('process.') || type === 'session.open'
      if (isAction)
        return [to('host', slot, { type, incarnation: said.incarnation } as EventObject)]
      return common({ type, params: saidBy(slot, said) })
    },
  }
}
