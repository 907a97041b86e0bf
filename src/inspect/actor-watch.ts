/**
 * Sees what the actors of a pool do, by XState's inspection, and tells it in our own words: met,
 * stepped. The only file that knows the shape of XState's inspection events. It changes nothing and
 * keeps nothing but where each actor stands.
 */
import type { AnyActorRef, AnyMachineSnapshot, InspectionEvent } from 'xstate'
import type { MachineId } from '../../machines/index.ts'
import { bounded, isCommand, type TraceCommand, type TraceStep } from './trace-format.ts'

export interface Standing {
  readonly actor: string
  readonly machine: MachineId
  readonly snapshot: AnyMachineSnapshot
}

interface WatchListener {
  met(standing: Standing): void
  stepped(step: Pick<TraceStep, 'actor' | 'event' | 'from' | 'to' | 'commands'>): void
}

interface Subject {
  readonly actor: string
  readonly machine: MachineId
  snapshot: AnyMachineSnapshot | null
  /** Issued since the last step, in order. */
  commands: TraceCommand[]
}

export class ActorWatch {
  readonly #listener: WatchListener
  readonly #subjects = new Map<string, Subject>()

  constructor(listener: WatchListener) {
    this.#listener = listener
  }

  /** Every actor of the system is seen from now on; those that are named are told of. */
  attach(system: AnyActorRef['system']): { unsubscribe(): void } {
    return system.inspect((inspected) => this.#see(inspected))
  }

  /** To be called before the actor starts. */
  name(ref: AnyActorRef, actor: string, machine: MachineId): void {
    this.#subjects.set(ref.sessionId, { actor, machine, snapshot: null, commands: [] })
  }

  /** XState does not tell of a command whose action is one of its own actions: who does it says so. */
  note(ref: AnyActorRef, type: string, params: unknown): void {
    this.#subjects.get(ref.sessionId)?.commands.push({ type, params: bounded(params) })
  }

  /** Where everybody stands. */
  *standings(): Generator<Standing> {
    for (const { actor, machine, snapshot } of this.#subjects.values()) {
      if (snapshot !== null) yield { actor, machine, snapshot }
    }
  }

  #see(inspected: InspectionEvent): void {
    if (inspected.type === '@xstate.action') {
      const { type, params } = inspected.action
      if (isCommand(type)) this.note(inspected.actorRef as AnyActorRef, type, params)
      return
    }
    if (inspected.type !== '@xstate.snapshot') return
    const { sessionId } = inspected.actorRef
    const subject = this.#subjects.get(sessionId)
    if (subject === undefined) return
    const { event } = inspected
    if (event.type === 'xstate.stop') this.#subjects.delete(sessionId)
    else this.#step(subject, event, inspected.snapshot as AnyMachineSnapshot)
  }

  #step(subject: Subject, event: TraceStep['event'], after: AnyMachineSnapshot): void {
    const { actor, machine, snapshot: before, commands } = subject
    subject.snapshot = after
    subject.commands = []
    if (before === null) return this.#listener.met({ actor, machine, snapshot: after })
    const said = bounded(event) as TraceStep['event']
    const [from, to] = [before.value, after.value]
    this.#listener.stepped({ actor, event: said, from, to, commands })
  }
}
