/**
 * One task, from submission to its one end. Final states have no exits, so "ends exactly once" holds by construction.
 * The ledger runs this machine compiled to a table (`src/ledger/compile.ts`): its guards and updates are plain
 * functions over plain facts, named here once and used by both.
 */
import { assign, setup } from 'xstate'
import { MAX_KILLS, MAX_RELEASES, stopError } from './policy.ts'
import { port } from './port.ts'
import {
  type CancelReason,
  type ErrorFacts,
  type ExitCause,
  ignore,
  type Verdict,
} from './vocabulary.ts'

/** What the machine decides by. Everything else about a task is the ledger's. */
export interface TaskFacts {
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
  error: ErrorFacts | null
}

export type TaskEvent =
  | { type: 'task.accepted' }
  | { type: 'dependency.met' }
  | { type: 'dependency.failed'; error: ErrorFacts }
  | { type: 'delay.passed' }
  | { type: 'attempt.assigned' }
  | { type: 'attempt.started' }
  | { type: 'attempt.ended'; verdict: Verdict; error: ErrorFacts | null }
  /** The attempt's process has ended. `alone`: no other task ran in it. */
  | { type: 'attempt.lost'; cause: ExitCause; alone: boolean; error: ErrorFacts }
  | { type: 'backoff.passed' }
  | { type: 'timeout.passed' }
  | { type: 'grace.passed' }
  | { type: 'queueTimeout.passed' }
  | { type: 'deadline.passed' }
  | { type: 'task.cancel'; reason: CancelReason }
  /** The pool cannot run anything any more. */
  | { type: 'pool.failed'; error: ErrorFacts }

type Of<T extends TaskEvent['type']> = Extract<TaskEvent, { type: T }>
type Guard = (facts: TaskFacts, event: TaskEvent) => boolean
type Update = (facts: TaskFacts, event: TaskEvent) => Partial<TaskFacts>

const attemptsLeft = (facts: TaskFacts) => facts.attempt - facts.released < facts.attempts
const verdictIs = (verdict: Verdict) => (_: TaskFacts, event: TaskEvent) =>
  (event as Of<'attempt.ended'>).verdict === verdict
/** Ends of a process that say nothing against the tasks in it. */
const BLAMELESS: ReadonlySet<ExitCause> = new Set(['stopped', 'recycled', 'cancelled', 'memory'])

export const taskGuards = {
  isBlocked: (facts) => facts.blockers > 0,
  isLastBlocker: (facts) => facts.blockers === 1,
  isLastBlockerOfDelayed: (facts) => facts.blockers === 1 && facts.delayMs > 0,
  isDelayed: (facts) => facts.delayMs > 0,
  isOk: verdictIs('ok'),
  isPermanent: verdictIs('permanent'),
  isReleased: (facts, event) =>
    verdictIs('released')(facts, event) && facts.released < MAX_RELEASES,
  isBystander: (facts, event) =>
    BLAMELESS.has((event as Of<'attempt.lost'>).cause) && facts.released < MAX_RELEASES,
  isPoison: (facts, event) => (event as Of<'attempt.lost'>).alone && facts.kills + 1 >= MAX_KILLS,
  isUnrepeatable: (facts) => !facts.idempotent,
  mayRetry: attemptsLeft,
  wasTimedOut: (facts) => facts.reason === 'timedOut',
  wasTimedOutAndMayRetry: (facts) => facts.reason === 'timedOut' && attemptsLeft(facts),
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

/** The deeds of the ledger, by the state that asks for them. */
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

const guards = Object.fromEntries(
  Object.entries(taskGuards as Record<string, Guard>).map(([name, guard]) => [
    name,
    ({ context, event }: { context: TaskFacts; event: TaskEvent }) => guard(context, event),
  ]),
) as Record<
  keyof typeof taskGuards,
  (args: { context: TaskFacts; event: TaskEvent }) => boolean
>
const updates = Object.fromEntries(
  Object.entries(taskUpdates as Record<string, Update>).map(([name, update]) => [
    name,
    assign(({ context, event }: { context: TaskFacts; event: TaskEvent }) =>
      update(context, event),
    ),
  ]),
) as unknown as Record<keyof typeof taskUpdates, () => void>
const commands = Object.fromEntries(taskCommands.map((name) => [name, port(name)])) as Record<
  TaskCommand,
  () => void
>

const notYetStarted = {
  'task.cancel': { target: 'cancelled', actions: ['noteReason', 'noteStop'] },
  'deadline.passed': { target: 'failed', actions: ['noteDeadline', 'noteStop'] },
  'pool.failed': { target: 'failed', actions: 'noteError' },
} as const
/** Words of an attempt that this state no longer has, or of a timer that came a moment late. */
const staleAttempt = ignore('attempt.started', 'attempt.ended', 'attempt.lost', 'grace.passed')
const lost = {
  bystander: { guard: 'isBystander', target: 'queued', actions: 'countRelease' },
  poison: { guard: 'isPoison', target: 'failed', actions: 'noteQuarantine' },
  unrepeatable: { guard: 'isUnrepeatable', target: 'failed', actions: 'noteLoss' },
  retry: { guard: 'mayRetry', target: 'backingOff', actions: 'noteLoss' },
  end: { target: 'failed', actions: 'noteLoss' },
} as const
const underWay = {
  'attempt.ended': [
    { guard: 'isOk', target: 'succeeded' },
    { guard: 'isReleased', target: 'queued', actions: 'countRelease' },
    { guard: 'isPermanent', target: 'failed', actions: 'noteError' },
    { guard: 'mayRetry', target: 'backingOff', actions: 'noteError' },
    { target: 'failed', actions: 'noteError' },
  ],
  'attempt.lost': [lost.bystander, lost.poison, lost.unrepeatable, lost.retry, lost.end],
  'task.cancel': { target: 'cancelling', actions: 'noteReason' },
  'timeout.passed': { target: 'cancelling', actions: 'noteTimeout' },
  'deadline.passed': { target: 'cancelling', actions: 'noteDeadline' },
} as const
const stopped = [
  { guard: 'wasTimedOutAndMayRetry', target: 'backingOff', actions: ['noteStop', 'forgetReason'] },
  { guard: 'wasTimedOut', target: 'failed', actions: 'noteStop' },
  { guard: 'wasExpired', target: 'failed', actions: 'noteStop' },
  { target: 'cancelled', actions: 'noteStop' },
] as const

export const taskMachine = setup({
  types: {
    context: {} as TaskFacts,
    events: {} as TaskEvent,
    input: {} as Partial<TaskFacts>,
  },
  guards,
  actions: { ...updates, ...commands, 'event.unexpected': port('event.unexpected') },
}).createMachine({
  id: 'task',
  description: 'One unit of work. It ends exactly once.',
  initial: 'submitted',
  context: ({ input }) => ({
    attempt: 0,
    released: 0,
    attempts: 3,
    blockers: 0,
    delayMs: 0,
    idempotent: true,
    kills: 0,
    reason: null,
    error: null,
    ...input,
  }),
  on: { '*': { actions: 'event.unexpected' } },
  states: {
    submitted: {
      description: 'Handed in; the ledger is about to accept it.',
      on: {
        'task.accepted': [
          { guard: 'isBlocked', target: 'blocked' },
          { guard: 'isDelayed', target: 'delayed' },
          { target: 'queued' },
        ],
        ...notYetStarted,
        ...staleAttempt,
        ...ignore('dependency.met', 'dependency.failed', 'delay.passed', 'attempt.assigned'),
        ...ignore('backoff.passed', 'timeout.passed', 'queueTimeout.passed'),
      },
    },
    blocked: {
      description: 'Waits for the tasks it depends on.',
      on: {
        'dependency.met': [
          { guard: 'isLastBlockerOfDelayed', target: 'delayed', actions: 'countBlockerMet' },
          { guard: 'isLastBlocker', target: 'queued', actions: 'countBlockerMet' },
          { actions: 'countBlockerMet' },
        ],
        'dependency.failed': { target: 'failed', actions: 'noteError' },
        ...notYetStarted,
        ...staleAttempt,
        ...ignore('task.accepted', 'delay.passed', 'attempt.assigned', 'backoff.passed'),
        ...ignore('timeout.passed', 'queueTimeout.passed'),
      },
    },
    delayed: {
      description: 'Waits for its own delay to pass.',
      entry: 'timer.delay',
      exit: 'timer.clear',
      on: {
        'delay.passed': { target: 'queued' },
        ...notYetStarted,
        ...staleAttempt,
        ...ignore('task.accepted', 'dependency.met', 'dependency.failed', 'attempt.assigned'),
        ...ignore('backoff.passed', 'timeout.passed', 'queueTimeout.passed'),
      },
    },
    queued: {
      description: 'May start as soon as a worker has a seat for it.',
      entry: 'task.enqueue',
      exit: 'task.dequeue',
      on: {
        'attempt.assigned': { target: 'assigned', actions: 'countAttempt' },
        'queueTimeout.passed': { target: 'failed', actions: 'noteQueueTimeout' },
        ...notYetStarted,
        ...staleAttempt,
        ...ignore('task.accepted', 'dependency.met', 'dependency.failed', 'delay.passed'),
        ...ignore('backoff.passed', 'timeout.passed'),
      },
    },
    assigned: {
      description: 'Sent to a worker, which has not said yet that it started.',
      entry: 'timer.run',
      on: {
        'attempt.started': { target: 'running' },
        ...underWay,
        ...ignore('task.accepted', 'dependency.met', 'dependency.failed', 'delay.passed'),
        ...ignore('attempt.assigned', 'backoff.passed', 'queueTimeout.passed', 'grace.passed'),
        ...ignore('pool.failed'),
      },
    },
    running: {
      description: 'Its handler runs in a worker.',
      on: {
        ...underWay,
        ...ignore('task.accepted', 'dependency.met', 'dependency.failed', 'delay.passed'),
        ...ignore('attempt.assigned', 'attempt.started', 'backoff.passed'),
        ...ignore('queueTimeout.passed', 'grace.passed', 'pool.failed'),
      },
    },
    cancelling: {
      description: 'Told to stop; its code may still run, so it has not ended.',
      entry: ['attempt.abort', 'timer.grace'],
      on: {
        'attempt.ended': [{ guard: 'isOk', target: 'succeeded' }, ...stopped],
        'attempt.lost': [...stopped],
        'grace.passed': { actions: 'worker.kill' },
        'task.cancel': { actions: 'noteReason' },
        'deadline.passed': { actions: 'noteDeadline' },
        ...ignore('task.accepted', 'dependency.met', 'dependency.failed', 'delay.passed'),
        ...ignore('attempt.assigned', 'attempt.started', 'backoff.passed', 'timeout.passed'),
        ...ignore('queueTimeout.passed', 'pool.failed'),
      },
    },
    backingOff: {
      description: 'Failed in a way worth another start; waits before it.',
      entry: ['timer.backoff', 'task.retry'],
      exit: 'timer.clear',
      on: {
        'backoff.passed': { target: 'queued' },
        ...notYetStarted,
        ...staleAttempt,
        ...ignore('task.accepted', 'dependency.met', 'dependency.failed', 'delay.passed'),
        ...ignore('attempt.assigned', 'timeout.passed', 'queueTimeout.passed'),
      },
    },
    succeeded: {
      description: 'Ended with a value.',
      type: 'final',
      entry: ['timer.clear', 'task.settle'],
    },
    failed: {
      description: 'Ended with an error: its attempts are spent, or another would not help.',
      type: 'final',
      entry: ['timer.clear', 'task.settle'],
    },
    cancelled: {
      description: 'Ended because it was told to.',
      type: 'final',
      entry: ['timer.clear', 'task.settle'],
    },
  },
})
