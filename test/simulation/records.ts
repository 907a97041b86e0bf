/** Task records for tests of the ledger's parts. */
import { TaskRecord } from '../../src/ledger/task/record.ts'
import { DEFAULT_TASK_OPTIONS } from '../../src/config/task-options.ts'
import { type NormalTaskOptions } from '../../src/config/task-option-checks.ts'

let made = 0

export function recordOf(options: Partial<NormalTaskOptions> = {}): TaskRecord {
  made++
  return new TaskRecord(`t${made}`, 'noop', null, { ...DEFAULT_TASK_OPTIONS, ...options }, 0)
}
