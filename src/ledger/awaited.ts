/** What others wait for until the ledger has come to it: room, calm, the last end. */
import type { Counts } from './counts.ts'
import type { LedgerPorts } from './ports.ts'

export class Awaited {
  readonly #ports: Pick<LedgerPorts, 'tellPool' | 'tellShutdown'>
  /** Whom to tell once no task is left (`emptied`) or none runs (`calmed`). */
  readonly #ends = new Set<'emptied' | 'calmed'>()
  /** Whom to tell once there is room again, and what room is to them. */
  readonly #room = new Map<() => void, number>()

  constructor(ports: Pick<LedgerPorts, 'tellPool' | 'tellShutdown'>) {
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
  room(limit: number, tell: () => void): void {
    this.#room.set(tell, limit)
  }

  /** To be called when an event has been dealt with. `left`: tasks that have not ended. */
  tell(counts: Pick<Counts, 'active' | 'pending'>, left: number): void {
    if (this.#ends.size > 0) this.#tellEnds(counts.active, left)
    for (const [tell, limit] of this.#room) {
      if (counts.pending >= limit) continue
      this.#room.delete(tell)
      tell()
    }
  }

  #tellEnds(active: number, left: number): void {
    if (active === 0 && this.#ends.delete('calmed')) {
      this.#ports.tellShutdown({ type: 'ledger.calmed' })
    }
    if (left === 0 && this.#ends.delete('emptied')) {
      this.#ports.tellPool({ type: 'ledger.emptied' })
    }
  }
}
