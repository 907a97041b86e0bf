/**
 * A shipped machine as an actor of the model: its pure `transition()`, remembered. The commands it
 * names become words for the others, routed as the pool's runtime routes them. A slot's machine is
 * the same for every slot but for its name.
 */
import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type EventObject,
  getNextTransitions,
  initialTransition,
  transition,
} from 'xstate'
import { type Command, commandsOf } from '../support/explore.ts'
import { isIgnore, MARK, marked, sitesOf } from '../support/instrument.ts'
import { Interner, Memo, type Output, type Result, type Messages } from './memo.ts'

export type Route = (command: Command, slot: number) => readonly Output[]

const AFTER = 'xstate.after.'

export class MachineActor {
  readonly id: string
  readonly #probe: AnyStateMachine
  readonly #route: Route
  readonly #messages: Messages
  readonly #states = new Interner<AnyMachineSnapshot>()
  readonly #memo = new Memo()
  readonly #timers: (readonly string[])[] = []
  /** Configuration, event type, configuration: what did more than ignore. */
  readonly edges = new Set<string>()
  readonly #quiet: ReadonlySet<string>
  readonly initial: number
  /** Transitions that do something. */
  readonly sites: readonly string[]
  readonly taken = new Set<string>()

  constructor(machine: AnyStateMachine, input: unknown, messages: Messages, route: Route) {
    this.id = machine.id
    this.#probe = marked(machine)
    this.#route = route
    this.#messages = messages
    const sites = sitesOf(machine)
    const lastResort = `${machine.id} · * · 0`
    this.sites = sites
      .filter((site) => !isIgnore(site) && site.id !== lastResort)
      .map(({ id }) => id)
    this.#quiet = new Set(sites.filter(isIgnore).map(({ id }) => id))
    const [snapshot] = initialTransition(this.#probe, input as never)
    this.initial = this.intern(snapshot as AnyMachineSnapshot)
  }

  get states(): number {
    return this.#states.states.length
  }

  /** States as text, the same in every composition. */
  keys(): IterableIterator<string> {
    return this.#states.keys()
  }

  results(): Generator<Result> {
    return this.#memo.results()
  }

  at(state: number): AnyMachineSnapshot {
    return this.#states.at(state)
  }

  /** The same state with another context. */
  changed(state: number, context: object): number {
    const snapshot = this.at(state)
    return this.intern({ ...snapshot, context: { ...snapshot.context, ...context } } as never)
  }

  /** Events of the timers that run. */
  timers(state: number): readonly string[] {
    let timers = this.#timers[state]
    if (timers === undefined) {
      const all = getNextTransitions(this.at(state)).map(({ eventType }) => eventType as string)
      timers = [...new Set(all.filter((type) => type.startsWith(AFTER)))]
      this.#timers[state] = timers
    }
    return timers
  }

  take(state: number, event: number, slot: number): Result {
    return this.#memo.take(slot, state, event, () => this.#work(state, event, slot))
  }

  intern(snapshot: AnyMachineSnapshot): number {
    // A policy is the same in every state.
    const context = { ...snapshot.context, policy: null }
    const history = Object.values(snapshot.historyValue).map((nodes) =>
      (nodes as readonly { id: string }[]).map(({ id }) => id),
    )
    const key = JSON.stringify([snapshot.value, context, history])
    return this.#states.id(key, () => snapshot)
  }

  #work(state: number, eventId: number, slot: number): Result {
    const event = this.#messages.event(eventId)
    const [snapshot, actions] = transition(this.#probe, this.at(state) as never, event as never)
    const { status, error, value } = snapshot as AnyMachineSnapshot
    if (status === 'error') return flawed(state, `${this.id}: ${String(error)}`)
    const marks = (actions as readonly Command[])
      .filter(({ type }) => type === MARK)
      .map(({ params }) => (params as { id: string }).id)
    const commands = commandsOf(actions as readonly Command[])
    const isUnexpected = commands.some(({ type }) => type === 'event.unexpected')
    const next = this.intern(snapshot as AnyMachineSnapshot)
    if (!isUnexpected) for (const mark of marks) this.taken.add(mark)
    if (marks.some((mark) => !this.#quiet.has(mark))) {
      this.edges.add(JSON.stringify([this.at(state).value, event.type, value]))
    }
    return {
      next,
      out: commands.flatMap((command) => this.#route(command, slot)),
      marks: marks.map((mark) => `${this.id}: ${mark}`),
      violation:
        isUnexpected || marks.length === 0
          ? `${this.id} does not expect ${event.type} in ${JSON.stringify(value)}`
          : null,
      uses: 0,
    }
  }
}

function flawed(state: number, violation: string): Result {
  return { next: state, out: [], marks: [], violation, uses: 0 }
}

/** What a machine's own name for an event is: its type, and whom it is about. */
export function nameOf(event: EventObject): string {
  const { type, ...rest } = event
  const facts = Object.entries(rest).filter(
    ([key, value]) =>
      !['exit', 'error', 'random', 'atMs', 'tasks', 'reading'].includes(key) && value !== null,
  )
  const said = facts.map(([key, value]) => `${key} ${String(value)}`).join(', ')
  return said === '' ? type : `${type} (${said})`
}
