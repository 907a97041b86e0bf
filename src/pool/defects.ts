/**
 * Who hears of what must not happen: an action that throws, an actor that ends of an error, an event
 * nobody expects. What has to do with a worker's process is its worker's, which ends that process.
 * Any other action of an actor is a word to another: it is lost, and only the pool can answer for it.
 */
import type { AnyActorRef } from 'xstate'
import type { PortFailed, SlotId } from '../../machines/protocol.ts'
import type { ProcessId } from '../../machines/worker-messages.ts'
import type { Recorder } from '../inspect/recorder.ts'
import type { LedgerPorts } from '../ledger/ports.ts'
import type { Logger } from '../common/logger.ts'
import { settle } from './observe/event-reporter.ts'
import { type ActionGuard, sendToSelf } from '../common/provide-actions.ts'
import { type Around, serializedDefect, processFailed } from '../common/port-failure.ts'
import type { Router } from './router.ts'

/** Lines of the journal that are logged with a defect. */
const JOURNAL_TAIL = 20
/** The commands of a worker that are about its own process. */
const OF_PROCESS = /: (process|session)\./

interface DefectPorts {
  readonly logger: Logger
  readonly recorder: Pick<Recorder, 'tail'> | null
  readonly around: Around | undefined
  readonly router: Router
}

export class Defects {
  readonly ofPool: ActionGuard
  readonly ofWorker: ActionGuard
  readonly ofOther: ActionGuard
  readonly #ports: DefectPorts
  readonly #failedTaps = new Set<string>()

  constructor(ports: DefectPorts) {
    this.#ports = ports
    const { around } = ports
    const lost: ActionGuard['failed'] = ({ id }, { port, error }) =>
      ports.router.send('host', 'pool', {
        type: 'actor.failed',
        actor: id,
        error: serializedDefect(port, error),
      })
    this.ofPool = { ...sendToSelf, around }
    this.ofOther = { around, failed: lost }
    this.ofWorker = {
      around,
      failed: (self, failure) => {
        if (!OF_PROCESS.test(failure.port)) return lost(self, failure)
        this.#endProcess(self.id as SlotId, processFailed(failure))
      },
    }
  }

  /** Something that has to do with a process threw outside of an action. */
  ofProcess(id: ProcessId, port: string, error: unknown): void {
    this.#endProcess(id.slot, processFailed({ port, error, params: id }))
  }

  /** An actor that ends of an error is gone for good: a guard or an update of its machine threw. */
  watch(...actors: readonly AnyActorRef[]): void {
    for (const actor of actors) {
      const send = (error: unknown) =>
        this.#ports.router.send('host', 'pool', {
          type: 'actor.failed',
          actor: actor.id,
          error: serializedDefect(`the actor ${actor.id}`, error),
        })
      actor.subscribe({ error: send })
    }
  }

  /** The ledger's ways out: what throws there must not break a step of the ledger. */
  guarded(ports: LedgerPorts): LedgerPorts {
    const { storeTroubled } = ports
    const run = (port: string, action: () => void, about?: ProcessId) => {
      const { around } = this.#ports
      try {
        if (around === undefined) action()
        else around('ledger', port, action)
      } catch (error) {
        if (about !== undefined) return this.ofProcess(about, port, error)
        const facts = serializedDefect(`ledger: ${port}`, error)
        this.#ports.router.send('host', 'pool', {
          type: 'actor.failed',
          actor: 'ledger',
          error: facts,
        })
      }
    }
    return {
      ...ports,
      sendWorker: (slot, event) => run('worker.send', () => ports.sendWorker(slot, event)),
      sendPool: (event) => run('pool.send', () => ports.sendPool(event)),
      sendShutdown: (event) => run('shutdown.send', () => ports.sendShutdown(event)),
      abort: (slot, incarnation, order) =>
        run('attempt.abort', () => ports.abort(slot, incarnation, order), { slot, incarnation }),
      report: (event, record) => {
        run('report', () => ports.report(event, record))
        if (event === 'ended') settle(record)
      },
      occupied: (isOccupied) => run('occupied', () => ports.occupied(isOccupied)),
      unexpected: (state, type) => run('event.unexpected', () => ports.unexpected(state, type)),
      ...(storeTroubled && {
        storeTroubled: (error) => run('storeTroubled', () => storeTroubled(error)),
      }),
    }
  }

  /** An observer threw: work goes on without what it would have said. Logged once for each. */
  ofTap(tap: string, error: unknown): void {
    if (this.#failedTaps.has(tap)) return
    this.#failedTaps.add(tap)
    const { message, ...facts } = serializedDefect(`the ${tap} tap of the router`, error)
    this.#ports.logger.error(message, facts)
  }

  unexpected(self: AnyActorRef, event: string): void {
    const { value } = self.getSnapshot() as { value: unknown }
    const message = `${self.id} got ${event} in ${JSON.stringify(value)}`
    const journal = this.#ports.recorder?.tail(JOURNAL_TAIL)
    this.#ports.logger.error(message, { code: 'UNEXPECTED_EVENT', ...(journal && { journal }) })
  }

  #endProcess(slot: SlotId, failure: PortFailed): void {
    this.#ports.logger.warn('an operation on a worker process threw: the process is killed', {
      worker: slot,
      error: failure.error,
    })
    this.#ports.router.send('host', slot, failure)
  }
}
