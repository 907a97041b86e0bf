/**
 * One task, from submission to its one end. Final states have no exits, so "ends exactly once"
 * holds by construction. The ledger runs this machine compiled to a table
 * (`src/ledger/task/task-table.ts`): its guards and updates are plain functions over plain facts
 * (`task-facts.ts`), named once and used by both.
 */
import { assign, setup } from 'xstate'
import { port } from './port.ts'
import {
  type TaskCommand,
  taskCommands,
  type TaskEvent,
  type TaskMachineContext,
  taskGuards,
  taskUpdates,
} from './task.setup.ts'
import { ignore } from './protocol.ts'

type Guard = (facts: TaskMachineContext, event: TaskEvent) => boolean
type Update = (facts: TaskMachineContext, event: TaskEvent) => Partial<TaskMachineContext>

const guards = Object.fromEntries(
  Object.entries(taskGuards as Record<string, Guard>).map(([name, guard]) => [
    name,
    ({ context, event }: { context: TaskMachineContext; event: TaskEvent }) =>
      guard(context, event),
  ]),
) as Record<
  keyof typeof taskGuards,
  (args: { context: TaskMachineContext; event: TaskEvent }) => boolean
>
const updates = Object.fromEntries(
  Object.entries(taskUpdates as Record<string, Update>).map(([name, update]) => [
    name,
    assign(({ context, event }: { context: TaskMachineContext; event: TaskEvent }) =>
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
  'result.found': { target: 'succeeded' },
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
    { guard: 'isUnrepeatableLoss', target: 'failed', actions: 'noteError' },
    { guard: 'mayRetry', target: 'backingOff', actions: 'noteError' },
    { target: 'failed', actions: 'noteError' },
  ],
  'attempt.lost': [lost.unrepeatable, lost.bystander, lost.poison, lost.retry, lost.end],
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
    context: {} as TaskMachineContext,
    events: {} as TaskEvent,
    input: {} as Partial<TaskMachineContext>,
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
      description: 'May start as soon as a worker has a place for it.',
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
        ...ignore('pool.failed', 'result.found'),
      },
    },
    running: {
      description: 'Its handler runs in a worker.',
      entry: 'timer.run',
      on: {
        ...underWay,
        ...ignore('task.accepted', 'dependency.met', 'dependency.failed', 'delay.passed'),
        ...ignore('attempt.assigned', 'attempt.started', 'backoff.passed'),
        ...ignore('queueTimeout.passed', 'grace.passed', 'pool.failed', 'result.found'),
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
        'deadline.passed': [{ guard: 'wasTimedOut', actions: 'noteDeadline' }, {}],
        ...ignore('task.accepted', 'dependency.met', 'dependency.failed', 'delay.passed'),
        ...ignore('attempt.assigned', 'attempt.started', 'backoff.passed', 'timeout.passed'),
        ...ignore('queueTimeout.passed', 'pool.failed', 'result.found'),
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
