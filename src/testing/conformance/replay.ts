/**
 * One actor of a trace, taken again: its machine, without any action, from the same state with the same
 * events. It says where the two part. Nothing is run, and no time passes.
 */
import { type AnyMachineSnapshot, type AnyStateMachine, transition } from 'xstate'
import { type MachineId, machines } from '../../../machines/index.ts'
import {
  bounded,
  isCommand,
  type TraceActor,
  type TraceCommand,
  type TraceStep,
} from '../../inspect/trace-format.ts'
import { marked, takenIn, type TransitionId } from './transitions.ts'

export interface Difference {
  readonly kind: 'order' | 'state' | 'commands'
  readonly message: string
}

const probes = new Map<MachineId, AnyStateMachine>()

function probeOf(id: MachineId): AnyStateMachine {
  let probe = probes.get(id)
  if (probe === undefined) {
    probe = marked(machines[id])
    probes.set(id, probe)
  }
  return probe
}

export class Replay {
  readonly machine: MachineId
  readonly #probe: AnyStateMachine
  #snapshot: AnyMachineSnapshot

  constructor({ machine, value, context, history }: Omit<TraceActor, 'seq' | 'ms' | 'actor'>) {
    this.machine = machine
    this.#probe = probeOf(machine)
    const historyValue = Object.fromEntries(
      Object.entries(history).map(([id, nodes]) => [
        id,
        nodes.map((node) => this.#probe.getStateNodeById(node)),
      ]),
    )
    const state = { value, context, historyValue } as never
    this.#snapshot = this.#probe.resolveState(state)
  }

  /** The machine has come to its end: it takes no more steps. */
  get isDone(): boolean {
    return this.#snapshot.status === 'done'
  }

  /** The transitions the step takes, and where the trace and the machine part, if they do. */
  step({ event, from, to, commands }: Pick<TraceStep, 'event' | 'from' | 'to' | 'commands'>): {
    readonly taken: readonly TransitionId[]
    readonly difference: Difference | null
  } {
    const stood = text(this.#snapshot.value)
    if (stood !== text(from)) {
      const message = `it starts from ${text(from)}, and the step before it ended in ${stood}`
      return { taken: [], difference: { kind: 'order', message } }
    }
    const [next, actions] = transition(this.#probe, this.#snapshot, event)
    this.#snapshot = next as AnyMachineSnapshot
    const taken = takenIn(actions)
    return { taken, difference: differenceOf(this.#snapshot, commandsOf(actions), to, commands) }
  }
}

function differenceOf(
  { value }: AnyMachineSnapshot,
  wanted: readonly TraceCommand[],
  to: TraceStep['to'],
  commands: readonly TraceCommand[],
): Difference | null {
  if (text(value) !== text(to)) {
    return {
      kind: 'state',
      message: `the machine goes to ${text(value)}, the trace to ${text(to)}`,
    }
  }
  if (text(wanted) === text(commands)) return null
  const message = `the machine commands ${text(wanted)}, the trace has ${text(commands)}`
  return { kind: 'commands', message }
}

function commandsOf(
  actions: readonly { readonly type: string; readonly params?: unknown }[],
): TraceCommand[] {
  return actions
    .filter(({ type }) => isCommand(type))
    .map(({ type, params }) => ({ type, params: bounded(params) }))
}

/** The same text for the same facts, whatever order their keys stand in. */
function text(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}
