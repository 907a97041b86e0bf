/**
 * Tasks that wait for tasks. Each child knows its parents and each parent its waiting children; what
 * a parent's end means for them is told once the event that ended it is over, one after another, so
 * that a chain of any length needs no stack. It never looks for cycles: a parent exists before its
 * child, and a batch was checked before it came here.
 */
import type { TaskEvent } from '../../../machines/task.setup.ts'
import type { SerializedError } from '../../../machines/protocol.ts'
import { weigh } from '../../values/snapshot.ts'
import { type DependencyFacts } from '../../process/ipc/protocol.ts'
import { MAX_PAYLOAD_BYTES } from '../../common/limits.ts'
import { FINAL_STATES } from './task-table.ts'
import type { TaskRecord, Parent, Family } from './record.ts'

export class Dependencies {
  /** Parents that have ended, whose children have not been told. */
  readonly #ended: TaskRecord[] = []
  readonly #step: (record: TaskRecord, event: TaskEvent) => void

  constructor(step: (record: TaskRecord, event: TaskEvent) => void) {
    this.#step = step
  }

  /** Before the record is accepted: counts whom it waits for. */
  link(record: TaskRecord): void {
    const { family } = record
    if (family === null) return
    record.blockers = family.parents.length
    for (const parent of family.parents) {
      if (!hasEnded(parent)) familyOf(parent as TaskRecord).children.add(record)
    }
  }

  /** After it was accepted: what has already ended counts at once. */
  settleEnded(record: TaskRecord): void {
    for (const parent of record.family?.parents ?? []) {
      if (hasEnded(parent)) this.#send(record, parent)
    }
  }

  /** It has ended: its children will be told when `release` is called. */
  note(record: TaskRecord): void {
    const { family } = record
    if (family === null) return
    for (const parent of family.parents) {
      if (!hasEnded(parent)) (parent as TaskRecord).family?.children.delete(record)
    }
    if (family.children.size > 0) this.#ended.push(record)
    else record.family = null
  }

  /** Tells the children of all that have ended, and of those that end by that. */
  release(): void {
    if (this.#ended.length === 0) return
    for (const parent of this.#ended) {
      const children = parent.family?.children ?? []
      parent.family = null
      for (const child of children) this.#send(child, parent)
    }
    this.#ended.length = 0
  }

  #send(child: TaskRecord, parent: Parent): void {
    const error = failureOf(child, parent)
    if (error === null) this.#step(child, { type: 'dependency.met' })
    else this.#step(child, { type: 'dependency.failed', error })
  }
}

/** What a child's handler is told of its parents, by id; undefined for a child of none. */
export function dependencyFacts(record: TaskRecord): Record<string, DependencyFacts> | undefined {
  if (record.family === null || record.family.parents.length === 0) return undefined
  return Object.fromEntries(record.family.parents.map((parent) => [parent.id, factsOf(parent)]))
}

function factsOf({ state, value, error }: Parent): DependencyFacts {
  if (state === 'succeeded') return { status: 'succeeded', value }
  const status = state === 'cancelled' ? 'cancelled' : 'failed'
  return { status, error: error ?? { code: 'TASK_FAILED', message: 'it failed without an error' } }
}

/** Why the end of `parent` ends `child`, or null when it does not. */
function failureOf(child: TaskRecord, parent: Parent): SerializedError | null {
  if (parent.state === 'succeeded') return child.blockers > 1 ? null : tooLarge(child)
  if (child.options.dependencyFailure === 'run') return child.blockers > 1 ? null : tooLarge(child)
  const how = parent.state === 'failed' ? 'failed' : 'was cancelled'
  return {
    code: 'DEPENDENCY_FAILED',
    message: `it depends on the task ${parent.id}, which ${how}`,
    ...causeOf(parent.error),
  }
}

/** What went wrong first: a long chain of failures does not make a long chain of causes. */
function causeOf(error: SerializedError | null): { cause?: SerializedError } {
  if (error === null) return {}
  const isPassedOn = error.code === 'DEPENDENCY_FAILED' && error.cause !== undefined
  return { cause: isPassedOn ? error.cause : error }
}

/** All results go to the handler with its payload, in one frame. */
function tooLarge({ family }: TaskRecord): SerializedError | null {
  const values = (family?.parents ?? []).map(({ value }) => value)
  if (weigh(values, MAX_PAYLOAD_BYTES) <= MAX_PAYLOAD_BYTES) return null
  const limit = `${MAX_PAYLOAD_BYTES} bytes`
  return {
    code: 'PAYLOAD_INVALID',
    message: `the results of its dependencies are larger than ${limit} together; write them to files`,
  }
}

function familyOf(record: TaskRecord): Family {
  record.family ??= { parents: [], children: new Set() }
  return record.family
}

function hasEnded({ state }: Parent): boolean {
  return FINAL_STATES.has(state)
}
