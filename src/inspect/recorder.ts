/**
 * The pool's journal: every step of every actor, and of some tasks, as lines. The newest are kept in
 * memory, all of them in a trace file if one is wanted. It listens and writes; nothing that the pool
 * does depends on it.
 */
import { join, parse } from 'node:path'
import type { AnyActorRef } from 'xstate'
import type { MachineId } from '../../machines/index.ts'
import { ActorWatch, type Standing } from './actor-watch.ts'
import { LineRing } from './line-ring.ts'
import { TaskSampler, type TaskStanding } from './task-sampler.ts'
import { TraceFile } from './trace-file.ts'
import {
  bounded,
  type TraceActor,
  type TraceEnd,
  traceHeader,
  type TraceHeader,
  type TraceLine,
  type TraceStep,
} from './trace-format.ts'

/** Characters of trace kept in memory. */
const RING_LIMIT = 1024 * 1024

/** Where those above all others stand when nothing goes on below them. */
const REST: Readonly<Record<string, string>> = { pool: 'idle', session: 'closed' }

export interface RecorderPorts {
  /** Milliseconds since the pool was made. */
  nowMs(): number
  wallMs(): number
  defer(callback: () => void): void
  /** The trace file cannot be written. */
  problem(error: unknown): void
}

type StepFacts = Pick<TraceStep, 'actor' | 'event' | 'from' | 'to' | 'commands'>

export class Recorder {
  readonly header: TraceHeader
  readonly tasks: TaskSampler
  readonly #ports: RecorderPorts
  readonly #ring: LineRing
  readonly #file: TraceFile | null
  readonly #watch: ActorWatch
  #subscription: { unsubscribe(): void } | null = null
  readonly #followers = new Set<(line: string) => void>()
  #seq = 0
  /** Nothing goes on, and whether that has been told. */
  #isIdle = false
  #isEndWritten = true

  /**
   * @param path Of the trace file; null keeps the newest lines in memory only.
   */
  constructor(path: string | null, ports: RecorderPorts, limitBytes?: number) {
    this.#ports = ports
    this.header = traceHeader(ports.wallMs())
    this.#ring = new LineRing(RING_LIMIT)
    const stepped = (step: StepFacts) => this.#step(step)
    this.#watch = new ActorWatch({ met: (standing) => this.#meet(standing), stepped })
    this.tasks = new TaskSampler({
      nowMs: ports.nowMs,
      met: (standing) => this.#send(actorLine(standing)),
      stepped,
    })
    const filePorts = {
      opening: (isFirst: boolean) => this.#opening(isFirst),
      closing: (why: TraceEnd['end']) => this.#closing(why),
      defer: ports.defer,
      problem: ports.problem,
    }
    this.#file = path === null ? null : new TraceFile(path, filePorts, limitBytes)
  }

  /** The actor above all others, before it starts: a pool's own, or the session of a worker. */
  attach(ref: AnyActorRef, name: 'pool' | 'session' = 'pool'): void {
    this.#subscription ??= this.#watch.attach(ref.system)
    this.name(ref, name, name)
  }

  /** Where what belongs to this trace, but happens in another process, is recorded. */
  pathBeside(name: string): string | undefined {
    if (this.#file === null) return undefined
    const { dir, name: own, ext } = parse(this.#file.path)
    return join(dir, `${own}.${name}${ext}`)
  }

  /** Another actor of the pool, before it starts. */
  name(ref: AnyActorRef, actor: string, machine: MachineId): void {
    this.#watch.name(ref, actor, machine)
  }

  /** A command whose action is one of XState's own actions: those it does not tell of. */
  note(ref: AnyActorRef, type: string, params: unknown): void {
    this.#watch.note(ref, type, params)
  }

  /** Tells every line from now on; the function returned ends it. */
  follow(listener: (line: string) => void): () => void {
    this.#followers.add(listener)
    return () => void this.#followers.delete(listener)
  }

  /** The newest lines, oldest of them first. */
  tail(count: number): readonly TraceLine[] {
    return this.#ring.tail(count).map((line) => JSON.parse(line) as TraceLine)
  }

  /** Everything so far is in the file afterwards. */
  flush(): void {
    this.#file?.flush()
  }

  /** The pool is no more. */
  close(): void {
    this.#subscription?.unsubscribe()
    this.#subscription = null
    this.#file?.close()
  }

  #meet({ actor, machine, snapshot }: Standing): void {
    this.#follow(actor, snapshot.value)
    this.#send(machineLine({ actor, machine, snapshot }))
  }

  #step(step: StepFacts): void {
    this.#follow(step.actor, step.to)
    this.#send(step)
  }

  #follow(actor: string, value: unknown): void {
    const rest = REST[actor]
    if (rest !== undefined) this.#isIdle = value === rest
  }

  #send(line: Omit<TraceActor, 'seq' | 'ms'> | StepFacts): void {
    const text = this.#numbered(line)
    this.#isEndWritten = false
    this.#ring.push(text)
    this.#file?.write(text)
    for (const send of this.#followers) send(text)
  }

  #numbered(line: object): string {
    return JSON.stringify({ seq: ++this.#seq, ms: this.#ports.nowMs(), ...line })
  }

  /** A part of a trace stands by itself: it says again who is there. */
  #opening(isFirst: boolean): readonly string[] {
    if (isFirst) return [JSON.stringify({ ...this.header, first: 1 })]
    this.#isEndWritten = false
    const standings = [
      ...[...this.#watch.standings()].map(machineLine),
      ...[...this.tasks.standings()].map(actorLine),
    ]
    const first = JSON.stringify({ ...this.header, first: this.#seq + 1 })
    return [first, ...standings.map((line) => this.#numbered(line))]
  }

  #closing(end: TraceEnd['end']): string | null {
    if (end === 'idle' && (!this.#isIdle || this.#isEndWritten)) return null
    this.#isEndWritten = true
    return this.#numbered({ end })
  }
}

function machineLine({ actor, machine, snapshot }: Standing): Omit<TraceActor, 'seq' | 'ms'> {
  const { value, context, historyValue } = snapshot
  const history = Object.fromEntries(
    Object.entries(historyValue).map(([id, nodes]) => [id, nodes.map((node) => node.id)]),
  )
  return { actor, machine, value, context: bounded(context), history }
}

function actorLine({ actor, value, context }: TaskStanding): Omit<TraceActor, 'seq' | 'ms'> {
  return { actor, machine: 'task', value, context, history: {} }
}
