/**
 * What makes the composed system fast: every event and every state of an actor is a small number,
 * and what an actor does with an event is worked out once and looked up ever after. Pure; knows no
 * machine.
 */
import type { EventObject } from 'xstate'

export type ActorKind = 'pool' | 'supervisor' | 'shutdown' | 'ledger' | 'run' | 'worker' | 'host'

/** A word said to another actor. `slot` counts from 0 and names a worker or its host. */
export interface Output {
  readonly to: ActorKind
  readonly slot: number
  readonly event: number
}

/** What an actor does with an event. */
export interface Result {
  readonly next: number
  readonly out: readonly Output[]
  /** What is worth counting about it: transitions taken, or actions by name. */
  readonly marks: readonly string[]
  /** What must never be, had it happened here. */
  readonly violation: string | null
  /** How many explored steps have used it. */
  uses: number
}

/** More events than this cannot be told apart in one key. */
const MAX_MESSAGES = 2 ** 20

/** Every event there is, by number. */
export class Messages {
  readonly #ids = new Map<string, number>()
  readonly #events: EventObject[] = []

  id(event: EventObject): number {
    const key = JSON.stringify(event)
    let id = this.#ids.get(key)
    if (id === undefined) {
      id = this.#events.length
      if (id >= MAX_MESSAGES) throw new Error(`more than ${MAX_MESSAGES} events`)
      this.#ids.set(key, id)
      this.#events.push(event)
    }
    return id
  }

  event(id: number): EventObject {
    return this.#events[id] as EventObject
  }
}

/** States of one kind of actor, by number. */
export class Interner<State> {
  readonly states: State[] = []
  readonly #ids = new Map<string, number>()

  id(key: string, make: () => State): number {
    let id = this.#ids.get(key)
    if (id === undefined) {
      id = this.states.length
      this.#ids.set(key, id)
      this.states.push(make())
    }
    return id
  }

  keys(): IterableIterator<string> {
    return this.#ids.keys()
  }

  at(id: number): State {
    return this.states[id] as State
  }
}

/** Results by (slot, state, event). */
export class Memo {
  readonly #bySlot: Map<number, Result>[] = []

  take(slot: number, state: number, event: number, make: () => Result): Result {
    let table = this.#bySlot[slot]
    if (table === undefined) {
      table = new Map()
      this.#bySlot[slot] = table
    }
    const key = state * MAX_MESSAGES + event
    let result = table.get(key)
    if (result === undefined) {
      result = make()
      table.set(key, result)
    }
    return result
  }

  *results(): Generator<Result> {
    for (const table of this.#bySlot) if (table) yield* table.values()
  }
}

/** One function of a number and another, worked out once. */
export function memoized(make: (a: number, b: number) => number): (a: number, b: number) => number {
  const known = new Map<number, number>()
  return (a, b) => {
    const key = a * MAX_MESSAGES + b
    let value = known.get(key)
    if (value === undefined) {
      value = make(a, b)
      known.set(key, value)
    }
    return value
  }
}
