/**
 * The one way by which a message gets from one actor of a pool to another, and from the pool's methods,
 * its processes and its host to an actor. It holds no meaning: it hands over, then shows what it handed
 * over to every tap.
 */
import type { PoolEvent } from '../../machines/pool.setup.ts'
import type { ShutdownEvent } from '../../machines/shutdown.machine.ts'
import type { SupervisorEvent } from '../../machines/supervisor.setup.ts'
import type { SlotId } from '../../machines/protocol.ts'
import type { WorkerEvent } from '../../machines/worker.setup.ts'
import type { LedgerEvent } from '../ledger/events.ts'
import type { Around } from '../common/port-failure.ts'

/** Actors of which there is one a pool, and what they take. */
interface Inboxes {
  readonly pool: PoolEvent
  readonly ledger: LedgerEvent
  readonly supervisor: SupervisorEvent
  readonly shutdown: ShutdownEvent
}

type Address = keyof Inboxes | SlotId
/**
 * `client`: a method of the pool. `process`: the report or the exit of a worker process. `host`: the
 * store, the run folder, the monitor, a defect.
 */
type Sender = Address | 'client' | 'process' | 'host'
type EventFor<To extends Address> = To extends keyof Inboxes ? Inboxes[To] : WorkerEvent

/** Sees every message once, after it was handed over. It neither sends nor changes one. */
export interface Tap {
  readonly name: string
  pool?(event: PoolEvent, from: Sender): void
  ledger?(event: LedgerEvent, from: Sender): void
  supervisor?(event: SupervisorEvent, from: Sender): void
  shutdown?(event: ShutdownEvent, from: Sender): void
  worker?(slot: SlotId, event: WorkerEvent, from: Sender): void
}

interface Inbox {
  send(event: never): void
}

/**
 * @example
 * const router = new Router((tap, error) => console.error(tap, error))
 * router.register('ledger', ledgerActor)
 * router.tap({ name: 'log', ledger: (event, from) => console.log(from, event.type) })
 * router.send('client', 'ledger', { type: 'task.submitted', record })
 */
export class Router {
  readonly #inboxes = new Map<Address, Inbox>()
  readonly #taps: Tap[] = []
  readonly #tapFailed: (tap: string, error: unknown) => void
  readonly #around: Around | undefined

  /**
   * @param tapFailed Told of a tap that threw: what it would have shown is lost, nothing else.
   * @param around How taps are called; default: at once.
   */
  constructor(tapFailed: (tap: string, error: unknown) => void, around?: Around) {
    this.#tapFailed = tapFailed
    this.#around = around
  }

  /** An address has one actor for the life of the pool. */
  register<To extends Address>(to: To, actor: { send(event: EventFor<To>): void }): void {
    this.#inboxes.set(to, actor as Inbox)
  }

  tap(tap: Tap): void {
    this.#taps.push(tap)
  }

  /**
   * Hands it over, then shows it to the taps in their order. XState queues what is sent during a step:
   * handed over is not yet dealt with. Without an actor at that address it is dropped, and shown.
   */
  send<To extends Address>(from: Sender, to: To, event: EventFor<To>): void {
    this.#inboxes.get(to)?.send(event as never)
    for (const tap of this.#taps) this.#show(tap, from, to, event)
  }

  /** A tap that throws breaks neither the sender's step nor another tap. */
  #show(tap: Tap, from: Sender, to: Address, event: EventFor<Address>): void {
    try {
      if (this.#around === undefined) return show(tap, from, to, event)
      this.#around('router', `tap.${tap.name}`, () => show(tap, from, to, event))
    } catch (error) {
      this.#tapFailed(tap.name, error)
    }
  }
}

function show(tap: Tap, from: Sender, to: Address, event: EventFor<Address>): void {
  switch (to) {
    case 'pool':
      return tap.pool?.(event as PoolEvent, from)
    case 'ledger':
      return tap.ledger?.(event as LedgerEvent, from)
    case 'supervisor':
      return tap.supervisor?.(event as SupervisorEvent, from)
    case 'shutdown':
      return tap.shutdown?.(event as ShutdownEvent, from)
    default:
      return tap.worker?.(to, event as WorkerEvent, from)
  }
}
