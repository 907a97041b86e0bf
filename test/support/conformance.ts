/**
 * The live system against the machines (G8): every macrostep that an actor takes is taken again, by the
 * shipped machine and without any deed, from the same state with the same event. State and facts must
 * come out the same. It watches through XState's inspection and changes nothing.
 */
import {
  type AnyEventObject,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type InspectionEvent,
  transition,
} from 'xstate'
import { type MachineId, machines } from '../../machines/index.ts'

/** Enough to see what is wrong, and no more. */
const MAX_DIFFERENCES = 20

export class Conformance {
  readonly differences: string[] = []
  steps = 0
  readonly #last = new Map<string, AnyMachineSnapshot>()

  readonly inspect = (inspected: InspectionEvent): void => {
    if (inspected.type !== '@xstate.snapshot' || !('value' in inspected.snapshot)) return
    const { actorRef, event } = inspected
    const id = machineIdOf((actorRef as { id?: string }).id ?? '')
    const after = inspected.snapshot as AnyMachineSnapshot
    const before = this.#last.get(actorRef.sessionId)
    this.#last.set(actorRef.sessionId, after)
    if (id === null || before === undefined || event.type === 'xstate.stop') return
    this.#check(machines[id], before, event, after)
  }

  #check(
    machine: AnyStateMachine,
    before: AnyMachineSnapshot,
    event: AnyEventObject,
    after: AnyMachineSnapshot,
  ): void {
    this.steps++
    const { value, context } = before
    const historyValue = historyIn(machine, before)
    const start = machine.resolveState({ value, context, historyValue } as never)
    const [expected] = transition(machine, start, event)
    const [wanted, seen] = [facts(expected as AnyMachineSnapshot), facts(after)]
    if (wanted === seen || this.differences.length >= MAX_DIFFERENCES) return
    this.differences.push(
      `${machine.id}: ${event.type} in ${facts(before)}\n  wanted ${wanted}\n  saw ${seen}`,
    )
  }
}

/** What the actor remembers of left states, in the shipped machine's own nodes. */
function historyIn(machine: AnyStateMachine, { historyValue }: AnyMachineSnapshot) {
  return Object.fromEntries(
    Object.entries(historyValue).map(([id, nodes]) => [
      id,
      nodes.map((node) => machine.getStateNodeById(node.id)),
    ]),
  )
}

function facts({ value, context }: AnyMachineSnapshot): string {
  return JSON.stringify([value, context])
}

function machineIdOf(actorId: string): MachineId | null {
  if (actorId.startsWith('worker-')) return 'worker'
  return actorId in machines ? (actorId as MachineId) : null
}
