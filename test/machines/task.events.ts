/** Every event a task may meet, small but on both sides of each of its guards. */
import type { TaskEvent, TaskMachineContext } from '../../machines/task.setup.ts'
import { MAX_RELEASES } from '../../machines/policy.ts'
import type { SerializedError } from '../../machines/protocol.ts'
import type { ExplorePlan, Step } from '../support/explore.ts'

const error: SerializedError = { code: 'TASK_FAILED', message: 'no' }
const browserLost: SerializedError = { code: 'BROWSER_LOST', message: 'gone' }
const lost: SerializedError = { code: 'WORKER_LOST', message: 'gone' }

export const taskEvents: { readonly [T in TaskEvent['type']]: readonly TaskEvent[] } = {
  'task.accepted': [{ type: 'task.accepted' }],
  'dependency.met': [{ type: 'dependency.met' }],
  'dependency.failed': [{ type: 'dependency.failed', error }],
  'result.found': [{ type: 'result.found' }],
  'delay.passed': [{ type: 'delay.passed' }],
  'attempt.assigned': [{ type: 'attempt.assigned' }],
  'attempt.started': [{ type: 'attempt.started' }],
  'attempt.ended': [
    { type: 'attempt.ended', verdict: 'ok', error: null },
    { type: 'attempt.ended', verdict: 'retryable', error },
    { type: 'attempt.ended', verdict: 'retryable', error: browserLost },
    { type: 'attempt.ended', verdict: 'permanent', error },
    { type: 'attempt.ended', verdict: 'cancelled', error },
    { type: 'attempt.ended', verdict: 'released', error },
  ],
  'attempt.lost': [
    { type: 'attempt.lost', cause: 'crashed', alone: true, error: lost },
    { type: 'attempt.lost', cause: 'crashed', alone: false, error: lost },
    { type: 'attempt.lost', cause: 'recycled', alone: false, error: lost },
    { type: 'attempt.lost', cause: 'memory', alone: true, error: lost },
    { type: 'attempt.lost', cause: 'memory', alone: false, error: lost },
    { type: 'attempt.lost', cause: 'memoryShortage', alone: true, error: lost },
  ],
  'backoff.passed': [{ type: 'backoff.passed' }],
  'timeout.passed': [{ type: 'timeout.passed' }],
  'grace.passed': [{ type: 'grace.passed' }],
  'queueTimeout.passed': [{ type: 'queueTimeout.passed' }],
  'deadline.passed': [{ type: 'deadline.passed' }],
  'task.cancel': [
    { type: 'task.cancel', reason: 'requested' },
    { type: 'task.cancel', reason: 'shutdown' },
  ],
  'pool.failed': [{ type: 'pool.failed', error }],
}

/** Starts near the limit of releases, so that it is reached without counting up to it. */
const nearMaxReleases = { attempt: MAX_RELEASES - 1, released: MAX_RELEASES - 1 }

const UNDER_WAY = new Set(['assigned', 'running', 'cancelling'])
const SAYS_STOPPED = new Set(['attempt.ended', 'attempt.lost'])

/** It is settled as it ends, once, and not while its code may still run. */
function after({ from, event, to, commands }: Step<null>): null {
  const isEnd = to.status === 'done'
  const settled = commands.filter(({ type }) => type === 'task.settle').length
  if (settled !== (isEnd ? 1 : 0)) throw new Error(`settled ${settled} times`)
  const mayRun = UNDER_WAY.has(String(from.snapshot.value))
  if (isEnd && mayRun && !SAYS_STOPPED.has(event?.type ?? '')) {
    throw new Error('it ends while its code may still run')
  }
  return null
}

export const taskPlan: ExplorePlan = {
  inputs: [
    { attempts: 3 },
    { attempts: 2, blockers: 2, delayMs: 5 },
    { attempts: 2, blockers: 1 },
    { attempts: 2, delayMs: 5 },
    { attempts: 2, idempotent: false },
    { attempts: 2, ...nearMaxReleases },
  ],
  world: null,
  after,
  events: () => Object.values(taskEvents).flat(),
  isWithin: ({ snapshot }) => {
    const { released } = snapshot.context as TaskMachineContext
    return released <= 1 || released >= MAX_RELEASES - 1
  },
  canonical: ({ snapshot }) => {
    const { error: last, attempt, ...facts } = snapshot.context as TaskMachineContext
    return { ...facts, starts: attempt - facts.released, error: last?.code ?? null }
  },
  maxStates: 2_000,
}
