/** What others wait for until the ledger has come to it: room, calm, the last end. */
import type { Counts } from './task/counts.ts'
import type { LedgerPorts } from './ports.ts'

export class Awaited {
  readonly #ports: Pick<LedgerPorts, 'sendPool' | 'sendShutdown'>
  /** Whom to tell once no task is left (`emptied`) or none runs (`calmed`). */
  readonly #ends = new Set<'emptied' | 'calmed'>()
  /** Whom to tell once there is room again, and what room is to them. */
  readonly #room = new Map<() => void, number>()

  constructor(ports: Pick<LedgerPorts, 'sendPool' | 'sendShutdown'>) {
    this.#ports = ports
  }

  end(end: 'emptied' | 'calmed'): void {
    this.#ends.add(end)
  }

  /** Nobody waits for an end any more. */
  forget(): void {
    this.#ends.clear()
  }

  /** Calls back once, as soon as fewer than `limit` tasks are pending. */
  room(limit: number, send: () => void): void {
    this.#room.set(send, limit)
  }

  /** To be called when an event has been dealt with. `left`: tasks that have not ended. */
  send(counts: Pick<Counts, 'active' | 'pending'>, left: number): void {
    if (this.#ends.size > 0) this.#sendEnds(counts.active, left)
    for (const [send, limit] of this.#room) {
      if (counts.pending >= limit) continue
      this.#room.delete(send)
      send()
    }
  }

  #sendEnds(active: number, left: number): void {
    if (active === 0 && this.#ends.delete('calmed')) {
      this.#ports.sendShutdown({ type: 'ledger.calmed' })
    }
    if (left === 0 && this.#ends.delete('emptied')) {
      this.#ports.sendPool({ type: 'ledger.emptied' })
    }
  }
}
