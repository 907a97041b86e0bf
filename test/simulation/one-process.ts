/** A stage with one process, and what that process says of its attempts: for tests by example. */
import type { AttemptReport } from '../../src/process/ipc/protocol.ts'
import type { TaskRecord } from '../../src/ledger/task/record.ts'
import { type FakeProcess, LedgerScenario } from './ledger-scenario.ts'

export const FAILURE = { code: 'TASK_FAILED', message: 'it failed' }

type Ended = Extract<AttemptReport, { kind: 'ended' }>

export function ended({ id, attempt }: TaskRecord, verdict: Ended['verdict']): Ended {
  const isOk = verdict === 'ok'
  const how = isOk ? { value: attempt } : { error: FAILURE }
  return { kind: 'ended', taskId: id, attempt, verdict, ...how }
}

/** A stage with one open process. */
export function staged(plan: ConstructorParameters<typeof LedgerScenario>[0] = {}): {
  scenario: LedgerScenario
  process: FakeProcess
} {
  const scenario = new LedgerScenario(plan)
  return { scenario, process: scenario.open('worker-1') }
}
