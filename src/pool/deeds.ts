/**
 * What the commands of the worker, supervisor and shutdown machines do: each is carried to whom it is
 * for. It holds nothing and decides nothing.
 */
import type { AnyActorRef } from 'xstate'
import { shutdownMachine, supervisorMachine, workerMachine } from '../../machines/index.ts'
import type { PoolEvent } from '../../machines/pool-facts.ts'
import type { SupervisorEvent } from '../../machines/supervisor-facts.ts'
import type { SupervisorToLedger, SupervisorToPool } from '../../machines/supervisor-words.ts'
import type { SlotId } from '../../machines/vocabulary.ts'
import type { WorkerEvent } from '../../machines/worker-facts.ts'
import type { ProcessId, WorkerToLedger, WorkerToPool } from '../../machines/worker-words.ts'
import type { LedgerEvent } from '../ledger/events.ts'
import { type DeedGuard, withDeeds } from './machine-deeds.ts'
import type { PoolWorkers } from './workers.ts'

/** Whom the machines speak to. */
export interface Voices {
  readonly workers: PoolWorkers
  tellPool(event: PoolEvent): void
  tellLedger(event: LedgerEvent): void
  tellSupervisor(event: SupervisorEvent): void
  tellWorker(slot: SlotId, event: WorkerEvent): void
  /** What a worker says to the pool and to the ledger concerns others, too. */
  workerToldPool(event: WorkerToPool): void
  workerToldLedger(event: WorkerToLedger): void
  supervisorToldPool(event: SupervisorToPool): void
  supervisorToldLedger(event: SupervisorToLedger): void
  /** A process that said nothing for too long is about to be killed. */
  silent(process: ProcessId): void
  /** A worker is about to be replaced or killed for memory: for its own size, or for want of any. */
  heavy(slot: SlotId): void
  sweep(): Promise<void>
  /** What becomes of a throw in a deed of a worker, and of supervisor and shutdown. */
  readonly guards: { readonly worker: DeedGuard; readonly other: DeedGuard }
  unexpected(self: AnyActorRef, type: string): void
}

export function workerLogic(voices: Voices): typeof workerMachine {
  const { workers } = voices
  return withDeeds(
    workerMachine,
    {
      'process.fork': (_, id) => workers.fork(id),
      'session.open': (_, id) => workers.openSession(id),
      'process.run': (_, { tasks, ...id }) => workers.runTasks(id, tasks),
      'process.close': (_, id) => workers.send(id, { kind: 'close' }),
      'process.terminate': (_, id) => workers.terminate(id),
      'process.kill': (_, id) => workers.kill(id),
      'ledger.tell': (_, event) => voices.workerToldLedger(event),
      'pool.tell': (_, event) => voices.workerToldPool(event),
      'supervisor.tell': (_, event) => voices.tellSupervisor(event),
      'event.unexpected': ({ self, event }) => voices.unexpected(self, event.type),
    },
    voices.guards.worker,
  )
}

export function supervisorLogic(voices: Voices): typeof supervisorMachine {
  return withDeeds(
    supervisorMachine,
    {
      'workers.tell': (_, { slots, event }) => {
        for (const slot of slots) {
          if (event.type === 'worker.recycle') voices.heavy(slot)
          voices.tellWorker(slot, event)
        }
      },
      'processes.kill': (_, { processes, cause }) => {
        for (const { slot, incarnation } of processes) {
          if (cause === 'silent') voices.silent({ slot, incarnation })
          if (cause === 'memory') voices.heavy(slot)
          voices.tellWorker(slot, { type: 'worker.kill', incarnation, cause })
        }
      },
      'ledger.tell': (_, event) => voices.supervisorToldLedger(event),
      'pool.tell': (_, event) => voices.supervisorToldPool(event),
      'event.unexpected': ({ self, event }) => voices.unexpected(self, event.type),
    },
    voices.guards.other,
  )
}

export function shutdownLogic(voices: Voices): typeof shutdownMachine {
  return withDeeds(
    shutdownMachine,
    {
      'ledger.tell': (_, event) => voices.tellLedger(event),
      'pool.tell': (_, event) => voices.tellPool(event),
      'run.sweep': () => voices.sweep(),
      'event.unexpected': ({ self, event }) => voices.unexpected(self, event.type),
    },
    voices.guards.other,
  )
}
