/** Task records for tests of the ledger's parts. */
import { TaskRecord } from '../../src/ledger/record.ts'
import { DEFAULT_TASK_OPTIONS, type NormalTaskOptions } from '../../src/task/options.ts'

let made = 0

export function recordOf(options: Partial<NormalTaskOptions> = {}): TaskRecord {
  made++
  return new TaskRecord(`t${made}`, 'noop', null, { ...DEFAULT_TASK_OPTIONS, ...options }, 0)
}
