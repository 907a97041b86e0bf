/**
 * A violation as people read it: what happened, who said what to whom, and where everybody stood
 * afterwards.
 */
import type { AnyMachineSnapshot } from 'xstate'
import type { Exploration, Violation } from './checker.ts'
import { nameOf } from './machine-actor.ts'
import type { ActorKind } from './memo.ts'
import { type Move, Moves } from './moves.ts'
import { slotName } from './routes.ts'
import { AT, hostAt, type Row, type System, workerAt } from './system.ts'

interface Said {
  readonly from: string
  readonly to: string
  readonly message: string
}
interface TraceStep {
  readonly kind: Move['kind']
  /** What happened outside. */
  readonly happened: Said
  /** What was said in answer, in order. */
  readonly said: readonly Said[]
  /** Where everybody stood afterwards; not known for a step that broke a rule on its way. */
  readonly stood: string
}
interface Trace {
  readonly violation: string
  readonly composition: string
  readonly steps: readonly TraceStep[]
}

const OUTSIDE: Readonly<Record<Move['kind'], string>> = {
  user: 'user',
  progress: 'world',
  pace: 'clock',
  deadline: 'clock',
  fault: 'fault',
}

/** Walks the violation's way again, with slots and incarnations as they are called on that way. */
export function traceOf({ system, plan }: Exploration, violation: Violation): Trace {
  const moves = new Moves(system)
  const steps: TraceStep[] = []
  let row = system.initial()
  system.isCanonical = false
  for (const goal of violation.rows.slice(1)) {
    const taken = allOf(system, moves, row).find((move) => {
      const next = system.step(row, move)
      return system.violation === null && isSame(system.canonical([...next]), goal)
    })
    if (taken === undefined) break
    const [step, next] = walk(system, row, taken)
    steps.push(step)
    row = next
  }
  if (violation.last !== null) {
    const last = allOf(system, moves, row).find((move) => {
      system.step(row, move)
      return system.violation === violation.violation
    })
    if (last) steps.push(walk(system, row, last)[0])
  }
  system.isCanonical = true
  return { violation: violation.violation, composition: plan.name, steps }
}

/** Whatever may happen, and whatever of it may throw. */
function allOf(system: System, moves: Moves, row: Row): Move[] {
  return moves.of(row).flatMap((move) => {
    system.step(row, move)
    return [move, ...moves.thrown(move, row, system.ports)]
  })
}

function walk(system: System, row: Row, move: Move): [TraceStep, Row] {
  const said: Said[] = []
  system.listener = (output, from, slot) =>
    said.push({
      from: actorName(from, slot),
      to: actorName(output.to, output.slot),
      message: nameOf(system.messages.event(output.event)),
    })
  const next = system.step(row, move)
  system.listener = null
  const happened = {
    from: OUTSIDE[move.kind],
    to: actorName(move.to, move.slot),
    message: nameOf(system.messages.event(move.event)),
  }
  return [{ kind: move.kind, happened, said, stood: placeOf(system, next) }, next]
}

const isSame = (a: Row, b: Row) => a.every((cell, at) => cell === b[at])

function actorName(kind: ActorKind, slot: number): string {
  if (kind === 'worker') return slotName(slot)
  return kind === 'host' ? `process-${slot + 1}` : kind
}

/** One line: every machine's state, every process, every task. */
function placeOf(system: System, row: ArrayLike<number>): string {
  const text = (snapshot: AnyMachineSnapshot, part?: string) => {
    const value = part === undefined ? snapshot.value : (snapshot.value as never)[part]
    return flat(value)
  }
  const slots = Array.from({ length: system.plan.workers }, (_, slot) => {
    const worker = system.worker.at(row[workerAt(slot)] as number)
    const { processes } = system.host.at(row[hostAt(slot)] as number)
    const lives = processes.map((process) => {
      const marks = (['isMute', 'isHung', 'isLeaving', 'isKilled'] as const)
        .filter((name) => process[name])
        .map((name) => ` ${name.slice(2).toLowerCase()}`)
      return `#${process.incarnation} ${process.phase}${marks.join('')}`
    })
    const outgoing = text(worker, 'outgoing')
    const beside = outgoing === 'none' ? '' : ` + outgoing process ${outgoing}`
    return `${slotName(slot)} ${text(worker, 'life')}${beside} [${lives.join(', ')}]`
  })
  const { tasks } = system.ledger.at(row[AT.ledger] as number)
  const submitted = tasks.filter(({ isSubmitted }) => isSubmitted).map(({ state }) => state)
  return [
    `pool ${text(system.pool.at(row[AT.pool] as number))}`,
    `restarts ${text(system.supervisor.at(row[AT.supervisor] as number), 'restarts')}`,
    `shutdown ${text(system.shutdown.at(row[AT.shutdown] as number))}`,
    ...slots,
    `tasks [${submitted.join(', ')}]`,
  ].join(' · ')
}

function flat(value: unknown): string {
  if (typeof value === 'string') return value
  return Object.entries(value as object)
    .map(([key, inner]) => `${key}.${flat(inner)}`)
    .join(' ')
}

export function textOf({ violation, composition, steps }: Trace): string {
  const lines = steps.flatMap(({ kind, happened, said, stood }, at) => [
    `${String(at + 1).padStart(3)}. ${kind}: ${happened.message} → ${happened.to}`,
    ...said.map(({ from, to, message }) => `       ${from} → ${to}: ${message}`),
    `     = ${stood}`,
  ])
  return [`${violation} (composition ${composition}, ${steps.length} steps)`, ...lines].join('\n')
}

/** The same as a sequence chart, in Mermaid's text. */
export function chartOf({ violation, steps }: Trace): string {
  const all = steps.flatMap(({ happened, said }) => [happened, ...said])
  const names = [...new Set(all.flatMap(({ from, to }) => [from, to]))]
  const safe = (text: string) => text.replaceAll(/[;#:]/g, ' ')
  const lines = steps.flatMap(({ happened, said, stood }, at) => [
    `  ${happened.from}->>${happened.to}: ${at + 1}. ${safe(happened.message)}`,
    ...said.map(({ from, to, message }) => `  ${from}->>${to}: ${safe(message)}`),
    `  Note over ${names[0]},${names.at(-1)}: ${safe(stood)}`,
  ])
  return [
    'sequenceDiagram',
    ...names.map((name) => `  participant ${name}`),
    ...lines,
    `  Note over ${names[0]},${names.at(-1)}: ${safe(violation)}`,
    '',
  ].join('\n')
}
