/**
 * The first hop from a name to code: the actions that the machines name, each with what it does. A
 * message goes to the router, an order to a process to the workers. Nothing is decided here.
 */
import type { AnyActorRef } from 'xstate'
import { shutdownMachine, supervisorMachine, workerMachine } from '../../machines/index.ts'
import type { SlotId } from '../../machines/protocol.ts'
import { type ActionGuard, provideActions } from '../common/provide-actions.ts'
import type { Router } from './router.ts'
import type { PoolWorkers } from './workers.ts'

export interface ActionPorts {
  readonly router: Router
  readonly workers: PoolWorkers
  /** Closes the run folder and the store, once no process is left. */
  sweep(): Promise<void>
  /** What becomes of a throw in an action of a worker, and of supervisor and shutdown. */
  readonly guards: { readonly worker: ActionGuard; readonly other: ActionGuard }
  unexpected(self: AnyActorRef, type: string): void
}

const slotOf = ({ id }: AnyActorRef): SlotId => id as SlotId

export function workerLogic(ports: ActionPorts): typeof workerMachine {
  const { router, workers } = ports
  return provideActions(
    workerMachine,
    {
      'process.fork': (_, id) => workers.fork(id),
      'session.open': (_, id) => workers.openSession(id),
      'process.run': (_, { tasks, ...id }) => workers.runTasks(id, tasks),
      'process.close': (_, id) => workers.send(id, { kind: 'close' }),
      'process.terminate': (_, id) => workers.terminate(id),
      'process.kill': (_, id) => workers.kill(id),
      'ledger.send': ({ self }, event) => router.send(slotOf(self), 'ledger', event),
      'pool.send': ({ self }, event) => {
        router.send(slotOf(self), 'pool', event)
        // The ledger looks again at which slots last.
        if (event.type === 'worker.failed') {
          router.send(slotOf(self), 'ledger', { type: 'slots.changed' })
        }
      },
      'supervisor.send': ({ self }, event) => router.send(slotOf(self), 'supervisor', event),
      'event.unexpected': ({ self, event }) => ports.unexpected(self, event.type),
    },
    ports.guards.worker,
  )
}

export function supervisorLogic(ports: ActionPorts): typeof supervisorMachine {
  const { router } = ports
  return provideActions(
    supervisorMachine,
    {
      'workers.send': (_, { slots, event }) => {
        for (const slot of slots) router.send('supervisor', slot, event)
      },
      'processes.kill': (_, { processes, cause }) => {
        for (const { slot, incarnation } of processes) {
          router.send('supervisor', slot, { type: 'worker.kill', incarnation, cause })
        }
      },
      'ledger.send': (_, event) => router.send('supervisor', 'ledger', event),
      'pool.send': (_, event) => router.send('supervisor', 'pool', event),
      'event.unexpected': ({ self, event }) => ports.unexpected(self, event.type),
    },
    ports.guards.other,
  )
}

export function shutdownLogic(ports: ActionPorts): typeof shutdownMachine {
  const { router } = ports
  return provideActions(
    shutdownMachine,
    {
      'ledger.send': (_, event) => router.send('shutdown', 'ledger', event),
      'pool.send': (_, event) => router.send('shutdown', 'pool', event),
      'run.sweep': () => ports.sweep(),
      'event.unexpected': ({ self, event }) => ports.unexpected(self, event.type),
    },
    ports.guards.other,
  )
}
