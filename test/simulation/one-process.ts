/** A stage with one process, and what that process says of its attempts: for tests by example. */
import type { AttemptReport } from '../../src/ledger/events.ts'
import type { TaskRecord } from '../../src/ledger/record.ts'
import { type FakeProcess, LedgerStage } from './ledger-stage.ts'

export const FAILURE = { code: 'TASK_FAILED', message: 'it failed' }

type Ended = Extract<AttemptReport, { kind: 'ended' }>

export function ended({ id, attempt }: TaskRecord, verdict: Ended['verdict']): Ended {
  const isOk = verdict === 'ok'
  const how = isOk ? { value: attempt } : { error: FAILURE }
  return { kind: 'ended', taskId: id, attempt, verdict, ...how }
}

/** A stage with one open process. */
export function staged(plan: ConstructorParameters<typeof LedgerStage>[0] = {}): {
  stage: LedgerStage
  process: FakeProcess
} {
  const stage = new LedgerStage(plan)
  return { stage, process: stage.open('worker-1') }
}
