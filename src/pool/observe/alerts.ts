/**
 * What an operator should look at now. Whoever notices something raises an alert and clears it when
 * it is over; raising it again changes nothing but the message. It never judges by itself.
 */
import type { SlotId } from '../../../machines/protocol.ts'
import type { PoolEventEmitter } from './emitter.ts'
import type { AlertCode, PoolAlert } from '../../api/status.ts'

export class PoolAlerts {
  readonly #alerts = new Map<string, PoolAlert>()
  readonly #events: PoolEventEmitter
  readonly #wallMs: () => number

  constructor(events: PoolEventEmitter, wallMs: () => number) {
    this.#events = events
    this.#wallMs = wallMs
  }

  /** The oldest first. One for each code, and for each worker where it is about one. */
  list(): PoolAlert[] {
    return [...this.#alerts.values()]
  }

  has(code: AlertCode, slot?: SlotId): boolean {
    return this.#alerts.has(keyOf(code, slot))
  }

  raise(code: AlertCode, message: string, slot?: SlotId): void {
    const key = keyOf(code, slot)
    const raised = this.#alerts.get(key)
    const since = raised?.since ?? this.#wallMs()
    const alert: PoolAlert = { code, message, since, ...(slot === undefined ? {} : { slot }) }
    this.#alerts.set(key, alert)
    if (raised === undefined) this.#events.emit('alert.raised', () => alert)
  }

  clear(code: AlertCode, slot?: SlotId): void {
    const key = keyOf(code, slot)
    const alert = this.#alerts.get(key)
    if (alert === undefined) return
    this.#alerts.delete(key)
    this.#events.emit('alert.cleared', () => alert)
  }
}

function keyOf(code: AlertCode, slot: SlotId | undefined): string {
  return slot === undefined ? code : `${code} ${slot}`
}
