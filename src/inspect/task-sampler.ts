/**
 * Records tasks at work in the ledger: not each of a million, but some, and of those every step, as
 * the compiled table takes it. What it takes is bounded by how many are followed at once and how
 * many begin a second. It takes the step itself and changes nothing about it.
 */
import { initialTransition } from 'xstate'
import { taskMachine } from '../../machines/task.machine.ts'
import type { TaskCommand, TaskEvent } from '../../machines/task.setup.ts'
import { type Compiled, FINAL_STATES, step, type StepResult } from '../ledger/task/task-table.ts'
import type { TaskRecord } from '../ledger/task/record.ts'
import { bounded, type TraceCommand, type TraceStep } from './trace-format.ts'

/** Tasks followed at once. */
const MAX_FOLLOWED = 64
/** Tasks that begin to be followed in one second. */
const MAX_FOLLOWED_A_SECOND = 200

const FACTS = Object.keys(initialTransition(taskMachine, {})[0].context)

export interface TaskStanding {
  readonly actor: string
  readonly value: Compiled['state']
  readonly context: Readonly<Record<string, unknown>>
}

interface SamplerListener {
  nowMs(): number
  met(standing: TaskStanding): void
  stepped(step: Pick<TraceStep, 'actor' | 'event' | 'from' | 'to' | 'commands'>): void
}

export class TaskSampler {
  readonly #listener: SamplerListener
  readonly #followed = new Map<string, TaskRecord>()
  #secondEndsMs = 0
  #begun = 0

  constructor(listener: SamplerListener) {
    this.#listener = listener
  }

  /** In place of the table's own `step`, for a ledger that is watched. */
  readonly step = (
    record: TaskRecord,
    event: TaskEvent,
    run: (record: TaskRecord, command: TaskCommand) => void,
  ): StepResult => {
    if (event.type === 'task.accepted') this.#consider(record)
    if (this.#followed.get(record.id) !== record) return step(record, event, run)
    const from = record.state
    const commands: TraceCommand[] = []
    const result = step(record, event, (own, command) => {
      commands.push({ type: command })
      run(own, command)
    })
    const to = record.state
    const said = bounded(event) as TraceStep['event']
    this.#listener.stepped({ actor: `task ${record.id}`, event: said, from, to, commands })
    if (FINAL_STATES.has(to)) this.#followed.delete(record.id)
    return result
  };

  *standings(): Generator<TaskStanding> {
    for (const record of this.#followed.values()) yield standingOf(record)
  }

  #consider(record: TaskRecord): void {
    if (this.#followed.size >= MAX_FOLLOWED || record.state !== 'submitted') return
    const nowMs = this.#listener.nowMs()
    if (nowMs >= this.#secondEndsMs) {
      this.#secondEndsMs = nowMs + 1_000
      this.#begun = 0
    }
    if (this.#begun >= MAX_FOLLOWED_A_SECOND) return
    this.#begun++
    this.#followed.set(record.id, record)
    this.#listener.met(standingOf(record))
  }
}

function standingOf(record: TaskRecord): TaskStanding {
  const facts = record as unknown as Readonly<Record<string, unknown>>
  const context = Object.fromEntries(FACTS.map((name) => [name, bounded(facts[name])]))
  return { actor: `task ${record.id}`, value: record.state, context }
}
