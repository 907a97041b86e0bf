/**
 * An actor of the model that is no machine: plain data and a function over it. What it holds is
 * kept canonical, so that states which differ in nothing but names are one.
 */
import type { EventObject } from 'xstate'
import { Interner, Memo, type Output, type Result, type Messages } from './memo.ts'

/** What a step may say while it changes its own copy of the state. */
export interface Sender {
  say(to: Output['to'], slot: number, event: EventObject): void
  mark(name: string): void
  /** Something has happened that must never be. */
  report(violation: string): void
}

export interface PlainLogic<State> {
  readonly initial: State
  /** Changes the state in place. */
  step(state: State, event: EventObject, sender: Sender, slot: number): void
  clone(state: State): State
  /** The state that stands for this one. */
  canonical(state: State): State
}

export class PlainActor<State> {
  readonly #logic: PlainLogic<State>
  readonly #messages: Messages
  readonly #states = new Interner<State>()
  readonly #memo = new Memo()
  readonly initial: number

  constructor(logic: PlainLogic<State>, messages: Messages) {
    this.#logic = logic
    this.#messages = messages
    this.initial = this.intern(logic.initial)
  }

  get states(): number {
    return this.#states.states.length
  }

  results(): Generator<Result> {
    return this.#memo.results()
  }

  at(state: number): State {
    return this.#states.at(state)
  }

  intern(state: State): number {
    const canonical = this.#logic.canonical(state)
    return this.#states.id(JSON.stringify(canonical), () => canonical)
  }

  /** The same state with something changed in a copy. */
  changed(state: number, change: (copy: State) => void): number {
    const copy = this.#logic.clone(this.at(state))
    change(copy)
    return this.intern(copy)
  }

  take(state: number, event: number, slot: number): Result {
    return this.#memo.take(slot, state, event, () => {
      const out: Output[] = []
      const marks: string[] = []
      let violation: string | null = null
      const copy = this.#logic.clone(this.at(state))
      this.#logic.step(
        copy,
        this.#messages.event(event),
        {
          say: (to, about, said) => out.push({ to, slot: about, event: this.#messages.id(said) }),
          mark: (name) => marks.push(name),
          report: (message) => {
            violation ??= message
          },
        },
        slot,
      )
      return { next: this.intern(copy), out, marks, violation, uses: 0 }
    })
  }
}
