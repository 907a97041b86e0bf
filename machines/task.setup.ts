/**
 * What the task machine knows and how it judges: plain facts, and plain functions over them. They
 * stand apart because two use them: the machine, and the table the ledger compiles from it.
 */
import { isBlameless, MAX_KILLS, MAX_RELEASES, stopError } from './policy.ts'
import type { CancelReason, SerializedError, ExitCause, Verdict } from './protocol.ts'

/** What the machine decides by. Everything else about a task is the ledger's. */
export interface TaskMachineContext {
  /** Starts so far. Never goes back, so that an old start's words are told from a new one's. */
  attempt: number
  /** Starts that cost nothing. */
  released: number
  /** Starts allowed, the released ones aside. */
  attempts: number
  /** Dependencies that have not succeeded yet. */
  blockers: number
  delayMs: number
  idempotent: boolean
  /** How often it took its worker down, alone in it. */
  kills: number
  /** Why it is being stopped, once it is. */
  reason: CancelReason | null
  /** What went wrong last. */
  error: SerializedError | null
}

export type TaskEvent =
  | { type: 'task.accepted' }
  | { type: 'dependency.met' }
  | { type: 'dependency.failed'; error: SerializedError }
  /** Its result was known before it had to run. */
  | { type: 'result.found' }
  | { type: 'delay.passed' }
  | { type: 'attempt.assigned' }
  | { type: 'attempt.started' }
  | { type: 'attempt.ended'; verdict: Verdict; error: SerializedError | null }
  /** The attempt's process has ended. `alone`: no other task ran in it. */
  | { type: 'attempt.lost'; cause: ExitCause; alone: boolean; error: SerializedError }
  | { type: 'backoff.passed' }
  | { type: 'timeout.passed' }
  | { type: 'grace.passed' }
  | { type: 'queueTimeout.passed' }
  | { type: 'deadline.passed' }
  | { type: 'task.cancel'; reason: CancelReason }
  /** The pool cannot run anything any more. */
  | { type: 'pool.failed'; error: SerializedError }

type Of<T extends TaskEvent['type']> = Extract<TaskEvent, { type: T }>
type Guard = (facts: TaskMachineContext, event: TaskEvent) => boolean
type Update = (facts: TaskMachineContext, event: TaskEvent) => Partial<TaskMachineContext>

const attemptsLeft = (facts: TaskMachineContext) => facts.attempt - facts.released < facts.attempts
const verdictIs = (verdict: Verdict) => (_: TaskMachineContext, event: TaskEvent) =>
  (event as Of<'attempt.ended'>).verdict === verdict

export const taskGuards = {
  isBlocked: (facts) => facts.blockers > 0,
  isLastBlocker: (facts) => facts.blockers === 1,
  isLastBlockerOfDelayed: (facts) => facts.blockers === 1 && facts.delayMs > 0,
  isDelayed: (facts) => facts.delayMs > 0,
  isOk: verdictIs('ok'),
  isPermanent: verdictIs('permanent'),
  isReleased: (facts, event) =>
    verdictIs('released')(facts, event) && facts.released < MAX_RELEASES,
  isBystander: (facts, event) => {
    const { cause, alone } = event as Of<'attempt.lost'>
    return isBlameless(cause, alone) && facts.released < MAX_RELEASES
  },
  isPoison: (facts, event) => (event as Of<'attempt.lost'>).alone && facts.kills + 1 >= MAX_KILLS,
  /** Its code may have run, and nobody knows how far. */
  isUnrepeatable: (facts) => !facts.idempotent,
  isUnrepeatableLoss: (facts, event) =>
    !facts.idempotent && (event as Of<'attempt.ended'>).error?.code === 'BROWSER_LOST',
  mayRetry: attemptsLeft,
  wasTimedOut: (facts) => facts.reason === 'timedOut',
  wasTimedOutAndMayRetry: (facts) =>
    facts.reason === 'timedOut' && facts.idempotent && attemptsLeft(facts),
  wasExpired: (facts) => facts.reason === 'expired',
} satisfies Record<string, Guard>

export const taskUpdates = {
  countBlockerMet: (facts) => ({ blockers: facts.blockers - 1 }),
  countAttempt: (facts) => ({ attempt: facts.attempt + 1 }),
  countRelease: (facts) => ({ released: facts.released + 1 }),
  noteError: (_, event) => ({ error: (event as Of<'attempt.ended'>).error }),
  noteLoss: (facts, event) => ({
    error: (event as Of<'attempt.lost'>).error,
    kills: facts.kills + ((event as Of<'attempt.lost'>).alone ? 1 : 0),
  }),
  noteQuarantine: (_, event) => ({
    kills: MAX_KILLS,
    error: {
      code: 'WORKER_LOST',
      message: `quarantined: it took its worker down ${MAX_KILLS} times`,
      retryable: false,
      cause: (event as Of<'attempt.lost'>).error,
    },
  }),
  noteReason: (_, event) => ({ reason: (event as Of<'task.cancel'>).reason }),
  noteTimeout: () => ({ reason: 'timedOut' as const }),
  noteDeadline: () => ({ reason: 'expired' as const }),
  noteStop: (facts) => ({ error: stopError(facts.reason ?? 'requested', facts.error) }),
  noteQueueTimeout: () => ({
    error: { code: 'TASK_EXPIRED', message: 'the task waited in the queue past its queueTimeout' },
  }),
  forgetReason: () => ({ reason: null }),
} satisfies Record<string, Update>

/** The actions of the ledger, by the state that asks for them. */
export const taskCommands = [
  'task.enqueue',
  'task.dequeue',
  'timer.delay',
  'timer.backoff',
  'timer.run',
  'timer.grace',
  'timer.clear',
  'attempt.abort',
  'worker.kill',
  'task.retry',
  'task.settle',
] as const
export type TaskCommand = (typeof taskCommands)[number]
