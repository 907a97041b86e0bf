/**
 * Who hears of what must not happen: a deed that throws, an actor that ends of an error, an event
 * nobody expects. What has to do with a worker's process is its worker's, which ends that process.
 * Any other deed of an actor is a word to another: it is lost, and only the pool can answer for it.
 */
import type { AnyActorRef } from 'xstate'
import type { PortFailed, SlotId } from '../../machines/vocabulary.ts'
import type { ProcessId } from '../../machines/worker-words.ts'
import type { Recorder } from '../inspect/recorder.ts'
import type { LedgerPorts } from '../ledger/ports.ts'
import type { Logger } from '../logger.ts'
import { settle } from './announcer.ts'
import { type DeedGuard, tellSelf } from './machine-deeds.ts'
import { type Around, defectFacts, processFailed } from './port-failure.ts'
import type { Router } from './router.ts'

/** Lines of the journal that are logged with a defect. */
const JOURNAL_TAIL = 20
/** The commands of a worker that are about its own process. */
const OF_PROCESS = /: (process|session)\./

export interface DefectPorts {
  readonly logger: Logger
  readonly recorder: Pick<Recorder, 'tail'> | null
  readonly around: Around | undefined
  readonly router: Router
}

export class Defects {
  readonly ofPool: DeedGuard
  readonly ofWorker: DeedGuard
  readonly ofOther: DeedGuard
  readonly #ports: DefectPorts
  readonly #failedTaps = new Set<string>()

  constructor(ports: DefectPorts) {
    this.#ports = ports
    const { around } = ports
    const lost: DeedGuard['failed'] = ({ id }, { port, error }) =>
      ports.router.send('host', 'pool', {
        type: 'actor.failed',
        actor: id,
        error: defectFacts(port, error),
      })
    this.ofPool = { ...tellSelf, around }
    this.ofOther = { around, failed: lost }
    this.ofWorker = {
      around,
      failed: (self, failure) => {
        if (!OF_PROCESS.test(failure.port)) return lost(self, failure)
        this.#endProcess(self.id as SlotId, processFailed(failure))
      },
    }
  }

  /** Something that has to do with a process threw outside of a deed. */
  ofProcess(id: ProcessId, port: string, error: unknown): void {
    this.#endProcess(id.slot, processFailed({ port, error, params: id }))
  }

  /** An actor that ends of an error is gone for good: a guard or an update of its machine threw. */
  watch(...actors: readonly AnyActorRef[]): void {
    for (const actor of actors) {
      const tell = (error: unknown) =>
        this.#ports.router.send('host', 'pool', {
          type: 'actor.failed',
          actor: actor.id,
          error: defectFacts(`the actor ${actor.id}`, error),
        })
      actor.subscribe({ error: tell })
    }
  }

  /** The ledger's ways out: what throws there must not break a step of the ledger. */
  guarded(ports: LedgerPorts): LedgerPorts {
    const { storeTroubled } = ports
    const run = (port: string, deed: () => void, about?: ProcessId) => {
      const { around } = this.#ports
      try {
        if (around === undefined) deed()
        else around('ledger', port, deed)
      } catch (error) {
        if (about !== undefined) return this.ofProcess(about, port, error)
        const facts = defectFacts(`ledger: ${port}`, error)
        this.#ports.router.send('host', 'pool', {
          type: 'actor.failed',
          actor: 'ledger',
          error: facts,
        })
      }
    }
    return {
      ...ports,
      tellWorker: (slot, event) => run('worker.tell', () => ports.tellWorker(slot, event)),
      tellPool: (event) => run('pool.tell', () => ports.tellPool(event)),
      tellShutdown: (event) => run('shutdown.tell', () => ports.tellShutdown(event)),
      abort: (slot, incarnation, order) =>
        run('attempt.abort', () => ports.abort(slot, incarnation, order), { slot, incarnation }),
      announce: (news, record) => {
        run('announce', () => ports.announce(news, record))
        if (news === 'ended') settle(record)
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
    const { message, ...facts } = defectFacts(`the ${tap} tap of the router`, error)
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
