/** Every event a task may meet, small but on both sides of each of its guards. */
import { type TaskEvent, type TaskFacts } from '../../machines/task.ts'
import { MAX_RELEASES } from '../../machines/policy.ts'
import type { ErrorFacts } from '../../machines/vocabulary.ts'
import type { ExplorePlan } from '../support/explore.ts'

const error: ErrorFacts = { code: 'TASK_FAILED', message: 'no' }
const lost: ErrorFacts = { code: 'WORKER_LOST', message: 'gone' }

export const taskEvents: { readonly [T in TaskEvent['type']]: readonly TaskEvent[] } = {
  'task.accepted': [{ type: 'task.accepted' }],
  'dependency.met': [{ type: 'dependency.met' }],
  'dependency.failed': [{ type: 'dependency.failed', error }],
  'delay.passed': [{ type: 'delay.passed' }],
  'attempt.assigned': [{ type: 'attempt.assigned' }],
  'attempt.started': [{ type: 'attempt.started' }],
  'attempt.ended': [
    { type: 'attempt.ended', verdict: 'ok', error: null },
    { type: 'attempt.ended', verdict: 'retryable', error },
    { type: 'attempt.ended', verdict: 'permanent', error },
    { type: 'attempt.ended', verdict: 'cancelled', error },
    { type: 'attempt.ended', verdict: 'released', error },
  ],
  'attempt.lost': [
    { type: 'attempt.lost', cause: 'crashed', alone: true, error: lost },
    { type: 'attempt.lost', cause: 'crashed', alone: false, error: lost },
    { type: 'attempt.lost', cause: 'recycled', alone: false, error: lost },
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
  events: () => Object.values(taskEvents).flat(),
  isWithin: ({ snapshot }) => {
    const { released } = snapshot.context as TaskFacts
    return released <= 1 || released >= MAX_RELEASES - 1
  },
  canonical: ({ snapshot }) => {
    const { error: last, attempt, ...facts } = snapshot.context as TaskFacts
    return { ...facts, starts: attempt - facts.released, error: last?.code ?? null }
  },
  maxStates: 2_000,
}
