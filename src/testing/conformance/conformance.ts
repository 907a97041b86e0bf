/**
 * The live system against the machines: a trace is taken again, step by step, by the machines this
 * package ships, and must come out the same. What is wrong with the trace itself (another version,
 * lines missing or in another order, an end that is not there) is said by line.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type MachineId, machines } from '../../../machines/index.ts'
import {
  machineHashes,
  TRACE_FORMAT,
  type TraceActor,
  type TraceEnd,
  type TraceLine,
  type TraceOpening,
  type TraceStep,
  troupeVersion,
} from '../../inspect/trace-format.ts'
import { Replay } from './replay.ts'
import {
  isSessionName,
  isTraceName,
  MAX_NAMED_ACTORS,
  MAX_PROBLEMS,
  TraceTally,
  type TraceProblem,
  type ConformanceReport,
} from './trace-tally.ts'
import type { TransitionId } from './transitions.ts'

const MAX_SHOWN = 80

/**
 * Takes a trace again with the machines of this package. The trace is a path, or its lines. A folder
 * stands for all traces in it; there the trace of a worker's session may break off, for a worker may
 * be killed.
 *
 * @throws what the system says when the file cannot be read.
 * @example
 * const { ok, problems } = checkConformance('trace.jsonl')
 */
export function checkConformance(trace: string | Iterable<string>): ConformanceReport {
  if (typeof trace !== 'string') return checkLines([...trace])
  return statSync(trace).isDirectory() ? checkFolder(trace) : checkFile(trace)
}

/** One line for each problem, as people read it. */
export function problemText({ file, line, kind, actor, message }: TraceProblem): string {
  const where = file === undefined ? `line ${line}` : `${file} line ${line}`
  return `${where} (${kind})${actor === null ? '' : ` ${actor}`}: ${message}`
}

function checkFile(path: string): ConformanceReport {
  return checkLines(readFileSync(path, 'utf8').split('\n'))
}

function checkLines(lines: string[]): ConformanceReport {
  if (lines.at(-1) === '') lines.pop()
  const check = new TraceCheck()
  for (const line of lines) check.take(line)
  return check.end()
}

function checkFolder(folder: string): ConformanceReport {
  const files = readdirSync(folder).filter(isTraceName)
  if (files.length === 0) return checkLines([])
  const tally = new TraceTally()
  for (const file of files) {
    const mayBreakOff = isSessionName(file)
    tally.add(file, checkFile(join(folder, file)), { mayBreakOff })
  }
  return tally.report()
}

/** The same for a trace that still grows: hand it line by line, then ask for its report. */
export class TraceCheck {
  readonly #problems: TraceProblem[] = []
  readonly #taken = new Map<MachineId, Set<TransitionId>>()
  readonly #actors = new Set<string>()
  /** Of those that have not ended. Null: it has left the machine's way, and proves nothing now. */
  readonly #replays = new Map<string, Replay | null>()
  readonly #foreign = new Set<string>()
  #line = 0
  #steps = 0
  #next = 0
  #isOpen = false
  #isEnded = false
  #unread: string | null = null

  /** `isBare`: without a header, as lines are told by a pool of this very process. */
  constructor({ isBare = false }: { readonly isBare?: boolean } = {}) {
    this.#isOpen = isBare
  }

  /** The last line says that nothing is left unsaid. */
  get isEnded(): boolean {
    return this.#isEnded
  }

  take(text: string): void {
    this.#line++
    if (this.#unread !== null) {
      this.#report('malformed', null, `this is no line of a trace: ${this.#unread}`, this.#line - 1)
    }
    const line = parsed(text)
    this.#unread = line === null ? text.slice(0, MAX_SHOWN) : null
    if (line === null) return
    this.#isEnded = 'end' in line
    if (!this.#isOpen) return this.#open(line)
    if (!('seq' in line)) return this.#report('malformed', null, 'a second header')
    this.#count(line.seq)
    if ('event' in line) this.#step(line)
    else if ('machine' in line) this.#meet(line)
  }

  end(): ConformanceReport {
    if (!this.#isEnded) {
      const why = this.#unread === null ? 'it has no end' : `it ends within ${this.#unread}`
      this.#report('truncated', null, `the trace breaks off here: ${why}`)
    }
    return {
      ok: this.#problems.length === 0,
      problems: this.#problems,
      lines: this.#line,
      steps: this.#steps,
      actors: [...this.#actors],
      taken: this.#taken,
    }
  }

  #open(line: Partial<TraceOpening> | TraceLine): void {
    this.#isOpen = true
    if (!('troupe' in line) || line.machines === undefined) {
      return this.#report('malformed', null, 'a trace begins with a header; this is none')
    }
    this.#next = line.first ?? 0
    if (line.format !== TRACE_FORMAT) {
      const message = `format ${line.format}; this version reads format ${TRACE_FORMAT}`
      return this.#report('version', null, message)
    }
    if (line.troupe !== troupeVersion()) {
      const message = `written by troupe ${line.troupe}, read by ${troupeVersion()}`
      this.#report('version', null, message)
    }
    for (const [id, hash] of Object.entries(machineHashes())) {
      if (line.machines[id] === hash) continue
      this.#foreign.add(id)
      const message = `its ${id} machine is another (${line.machines[id]}, here ${hash})`
      this.#report('machine', null, message)
    }
  }

  #count(seq: number): void {
    if (this.#next !== 0 && seq !== this.#next) {
      const what = seq > this.#next ? 'lines are missing before it' : 'it stands out of its order'
      this.#report('order', null, `number ${seq} where ${this.#next} was due: ${what}`)
    }
    this.#next = seq + 1
  }

  #meet(line: TraceActor): void {
    if (!Object.hasOwn(machines, line.machine)) {
      return this.#report('malformed', line.actor, `there is no machine ${line.machine}`)
    }
    if (this.#actors.size < MAX_NAMED_ACTORS) this.#actors.add(line.actor)
    if (this.#foreign.has(line.machine)) {
      this.#replays.set(line.actor, null)
      return
    }
    try {
      this.#replays.set(line.actor, new Replay(line))
    } catch (error) {
      this.#replays.set(line.actor, null)
      this.#report('malformed', line.actor, (error as Error).message)
    }
  }

  #step(line: TraceStep): void {
    const replay = this.#replays.get(line.actor)
    if (replay === undefined) {
      this.#replays.set(line.actor, null)
      return this.#report(
        'order',
        line.actor,
        'it acts before the trace has met it, or after its end',
      )
    }
    if (replay === null) return
    const { taken, difference } = this.#again(replay, line)
    this.#steps++
    const all = this.#taken.get(replay.machine) ?? new Set()
    this.#taken.set(replay.machine, all)
    for (const id of taken) all.add(id)
    if (replay.isDone) this.#replays.delete(line.actor)
    if (difference === null) return
    this.#report(difference.kind, line.actor, `${line.event.type}: ${difference.message}`)
    if (difference.kind !== 'commands') this.#replays.set(line.actor, null)
  }

  #again(replay: Replay, line: TraceStep): ReturnType<Replay['step']> {
    try {
      return replay.step(line)
    } catch (error) {
      return { taken: [], difference: { kind: 'state', message: (error as Error).message } }
    }
  }

  #report(kind: TraceProblem['kind'], actor: string | null, message: string, line = this.#line) {
    if (this.#problems.length < MAX_PROBLEMS) this.#problems.push({ line, kind, actor, message })
  }
}

function parsed(
  text: string,
): Partial<TraceOpening> | Exclude<TraceLine, TraceEnd> | TraceEnd | null {
  try {
    const line: unknown = JSON.parse(text)
    return typeof line === 'object' && line !== null ? (line as TraceLine) : null
  } catch {
    return null
  }
}
