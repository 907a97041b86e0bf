/**
 * What the workers of a pool can do, by slot, and what none of them can: a task that asks for that
 * is refused by name, before or after it was accepted. It never starts anything.
 */
import type { SlotId } from '../../../machines/protocol.ts'
import { allCapabilities, type Capabilities, capabilitiesOf } from '../../config/order-plan.ts'
import type { KnownTasks } from '../queue/requirement-classes.ts'

/** Names shown in a refusal. */
const MAX_SHOWN = 20

/** What a task asks of its worker. */
export interface Wanted {
  /** Null: any. */
  readonly session: string | null
  readonly requires: readonly string[] | undefined
}

export class SlotCapabilities {
  readonly #capabilities: Capabilities
  readonly #slots: () => readonly SlotId[] | null
  readonly #ofSlot = new Map<SlotId, ReadonlySet<string>>()

  /** `slots`: those the pool has or will have again; null while that is not known. */
  constructor(capabilities: Capabilities, slots: () => readonly SlotId[] | null) {
    this.#capabilities = capabilities
    this.#slots = slots
  }

  of(slot: SlotId): ReadonlySet<string> {
    let offered = this.#ofSlot.get(slot)
    if (offered === undefined) {
      offered = new Set(capabilitiesOf(this.#capabilities, slot))
      this.#ofSlot.set(slot, offered)
    }
    return offered
  }

  has(slot: SlotId, requires: readonly string[]): boolean {
    if (requires.length === 0) return true
    const offered = this.of(slot)
    return requires.every((capability) => offered.has(capability))
  }

  /** Why no worker can ever run such a task; null when one can. */
  refusal({ session, requires }: Wanted, known: KnownTasks | null): string | null {
    if (session !== null && known !== null && !known.sessions.has(session)) {
      return `session: there is no session ${quote(session)}; these are: ${list([...known.sessions])}`
    }
    return requires === undefined || requires.length === 0 ? null : this.#lacking(requires)
  }

  #lacking(requires: readonly string[]): string | null {
    const all = allCapabilities(this.#capabilities)
    const choices =
      all.length === 0 ? "the pool's option capabilities names none" : `there are: ${list(all)}`
    const unknown = requires.find((capability) => !all.includes(capability))
    if (unknown !== undefined) return `requires: no worker has ${quote(unknown)}; ${choices}`
    if (this.#candidates().some((slot) => this.has(slot, requires))) return null
    return `requires: no worker has all of ${list(requires)}; ${choices}`
  }

  #candidates(): readonly SlotId[] {
    if (Array.isArray(this.#capabilities)) return ['worker-1']
    const named = Object.keys(this.#capabilities) as SlotId[]
    const slots = this.#slots()
    return slots === null ? named : named.filter((slot) => slots.includes(slot))
  }
}

function quote(name: string): string {
  return JSON.stringify(name)
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, MAX_SHOWN).join(', ')
  return names.length > MAX_SHOWN ? `${shown} and ${names.length - MAX_SHOWN} more` : shown
}
