/** What lies in the tables and what the port speaks of, one made from the other. No SQL here. */
import { deserialize, serialize } from 'node:v8'
import type { SerializedError, SlotId } from '../../../machines/protocol.ts'
import { TroupeError } from '../../common/errors.ts'
import type { NormalTaskOptions } from '../../config/task-option-checks.ts'
import { MAX_PAYLOAD_BYTES } from '../../common/limits.ts'
import type { TaskRecord } from '../task/record.ts'
import type { EndedTask, StoredTask } from './store.ts'
import { firstDue, fromStoredOptions, toStoredOptions } from './stored-task.ts'

type Cell = string | number | Uint8Array | null
export type Row = Readonly<Record<string, Cell>>
/** id, name, payload, options, submitted. */
export type AcceptRow = readonly [string, string, Buffer, Buffer | null, number]

/** A clone may be a little larger than what checked its payload counted. */
const MAX_STORED_BYTES = 2 * MAX_PAYLOAD_BYTES

/** @throws PAYLOAD_INVALID when the payload or the metadata cannot be kept. */
export function acceptRow(record: TaskRecord, submittedAt: number): AcceptRow {
  const { id, name, payload, options } = record
  const stored = toStoredOptions(options)
  return [
    id,
    name,
    packed('payload', payload),
    stored === null ? null : packed('metadata', stored),
    submittedAt,
  ]
}

function packed(label: string, value: unknown): Buffer {
  let bytes: Buffer
  try {
    bytes = serialize(value)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new TroupeError('PAYLOAD_INVALID', `${label} cannot be stored: ${why}`, { cause })
  }
  if (bytes.byteLength <= MAX_STORED_BYTES) return bytes
  const message = `${label} takes ${bytes.byteLength} bytes, more than a store takes`
  throw new TroupeError('PAYLOAD_INVALID', `${message} (${MAX_STORED_BYTES})`)
}

export function packedError(error: SerializedError | null): Buffer | null {
  return error === null ? null : serialize(error)
}

export function storedOf(row: Row): StoredTask {
  const task = taskOf(row)
  return {
    seq: Number(row.seq),
    ...task,
    attempt: Number(row.attempt ?? 0),
    released: Number(row.released ?? 0),
    kills: Number(row.kills ?? 0),
    isRunning: row.running === 1,
    dueAt: Number(row.due ?? firstDue(task.options, task.submittedAt)),
    error: opened(row.error) as SerializedError | null,
  }
}

export function endedOf(row: Row): EndedTask {
  const error = opened(row.error) as SerializedError | null
  return {
    ...taskOf(row),
    state: row.state as EndedTask['state'],
    value: row.value === null ? undefined : opened(row.value),
    error,
    attempt: Number(row.attempt),
    startedAt: Number(row.started),
    endedAt: Number(row.ended),
    worker: row.worker as SlotId | null,
  }
}

function taskOf(row: Row): Pick<StoredTask, 'id' | 'name' | 'payload' | 'options' | 'submittedAt'> {
  return {
    id: String(row.id),
    name: String(row.name),
    payload: opened(row.payload),
    options: fromStoredOptions(opened(row.options) as Partial<NormalTaskOptions> | null),
    submittedAt: Number(row.submitted),
  }
}

function opened(cell: Cell | undefined): unknown {
  return cell === null || cell === undefined ? null : deserialize(cell as Uint8Array)
}
