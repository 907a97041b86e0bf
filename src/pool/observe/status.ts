/**
 * `status()`: what a pool is doing, read from counters that are kept anyway. It costs the same with
 * a million tasks queued.
 */
import type { SlotId } from '../../../machines/protocol.ts'
import type { PoolRuntime } from '../runtime.ts'
import { deserializeError } from '../../common/errors.ts'
import { Counts } from '../../ledger/task/counts.ts'
import { Histogram } from '../../common/histogram.ts'
import { RECENT_ENDS, type RecentEnd } from '../../ledger/results/recent-ends.ts'
import { wholeNumber } from '../../common/checks.ts'
import { copyOf } from '../../values/snapshot.ts'
import { watchQueue } from './alarms.ts'
import { pathOf } from '../states.ts'
import type { PoolResults, PoolStatus, RecentOutcome, WorkerStatus } from '../../api/status.ts'

const DEFAULT_RECENT = 100
const SERVING = /^(ready|recycling)\./
const NO_TIMES = new Histogram().summary()

interface PoolFacts {
  readonly state: PoolStatus['state']
  readonly size: number
  readonly error: string | null
}

export function poolStatus(runtime: PoolRuntime, facts: PoolFacts): PoolStatus {
  const { ledger, workers, watch, clock } = runtime
  const uptimeMs = facts.state === 'idle' ? 0 : clock.nowMs() - runtime.startedAtMs
  const workerStatuses = [...runtime.actors.keys()].map((slot) => workerStatus(runtime, slot))
  const counts = ledger?.counts
  const ended = (counts?.succeeded ?? 0) + (counts?.failed ?? 0) + (counts?.cancelled ?? 0)
  const executed = workerStatuses.reduce((sum, worker) => sum + worker.tasksExecuted, 0)
  return {
    state: facts.state,
    health: watch.health,
    uptimeMs,
    workers: workerStatuses,
    activeWorkers: workerStatuses.filter(({ state }) => SERVING.test(state)).length,
    tasks: {
      submitted: counts?.submitted ?? 0,
      pending: counts?.pending ?? 0,
      active: counts?.active ?? 0,
      succeeded: counts?.succeeded ?? 0,
      failed: counts?.failed ?? 0,
      cancelled: counts?.cancelled ?? 0,
      retried: counts?.retried ?? 0,
    },
    ...readings(runtime),
    processesStarted: workers.processesStarted,
    logins: workers.sessions.logins,
    sessions: workers.sessions.status(),
    reuseRate: executed === 0 ? 0 : Math.max(0, executed - workers.processesStarted) / executed,
    throughput: uptimeMs === 0 ? 0 : (ended * 1_000) / uptimeMs,
    memory: {
      usedRatio: watch.last?.memory?.ratio ?? 0,
      usedBytes: watch.last?.memory?.usedBytes ?? 0,
      limitBytes: watch.last?.memory?.limitBytes ?? 0,
      band: watch.band,
      workersBytes: watch.workersBytes,
    },
    processor: { usedRatio: watch.last?.processorRatio ?? null },
    disk: watch.last?.disk ?? null,
    store: ledger?.gate?.store?.facts ?? null,
    lastError: facts.error,
  }
}

function readings(
  runtime: PoolRuntime,
): Pick<PoolStatus, 'queue' | 'groups' | 'times' | 'cache' | 'deadLetters' | 'alerts'> {
  const { ledger, alerts, config, deadLetters, resultCache } = runtime
  const pending = ledger?.counts.pending ?? 0
  const waitMs = ledger?.completed.waits.summary() ?? NO_TIMES
  watchQueue(alerts, pending, config.maxQueue)
  const groups = ledger?.dispatch.queue.groups
  return {
    groups: { count: groups?.size ?? 0, usage: groups?.listed() ?? [] },
    queue: {
      depth: ledger?.queued ?? 0,
      pending,
      maxQueue: config.maxQueue,
      averageWaitMs: waitMs.mean,
    },
    times: { waitMs, runMs: ledger?.completed.runs.summary() ?? NO_TIMES },
    cache: {
      entries: resultCache.count,
      bytes: resultCache.bytes,
      hits: ledger?.completed.hits ?? 0,
      misses: ledger?.completed.misses ?? 0,
    },
    deadLetters: {
      count: deadLetters.count,
      bytes: deadLetters.bytes,
      dropped: deadLetters.dropped,
    },
    alerts: alerts.list(),
  }
}

/** What has come of the tasks so far. */
export function poolResults(
  runtime: PoolRuntime,
  state: PoolStatus['state'],
  recent = DEFAULT_RECENT,
): PoolResults {
  wholeNumber('recent', recent, 0, RECENT_ENDS)
  const { ledger, clock } = runtime
  const counts = ledger?.counts ?? new Counts()
  const { succeeded, failed, cancelled, pending, active, retried } = counts
  const elapsedMs = state === 'idle' ? 0 : clock.nowMs() - runtime.startedAtMs
  const ended = succeeded + failed + cancelled
  return {
    succeeded,
    failed,
    cancelled,
    unended: pending + active,
    metrics: {
      elapsedMs,
      throughput: elapsedMs === 0 ? 0 : (ended * 1_000) / elapsedMs,
      successRate: ended === 0 ? 1 : succeeded / ended,
      retried,
      waitMs: ledger?.completed.waits.summary() ?? NO_TIMES,
      runMs: ledger?.completed.runs.summary() ?? NO_TIMES,
    },
    recent: (ledger?.completed.ended.latest(recent) ?? []).map(recentOutcome),
  }
}

function recentOutcome(end: RecentEnd): RecentOutcome {
  const { id: taskId, name, state: status, attempt: attempts, runMs } = end
  const facts = { taskId, name, status, attempts, runMs }
  if (status === 'succeeded') return { ...facts, value: copyOf(end.value) }
  return end.error === null ? facts : { ...facts, error: deserializeError(end.error) }
}

function workerStatus(runtime: PoolRuntime, slot: SlotId): WorkerStatus {
  const snapshot = runtime.actors.get(slot)?.getSnapshot()
  const process = runtime.workers.newest(slot)
  const facts = runtime.workers.factsOf(slot)
  const state = snapshot === undefined ? '' : pathOf(snapshot.value.life)
  const incarnation = process?.init.incarnation ?? 0
  const memory = runtime.watch.memoryOf({ slot, incarnation })
  const running = runtime.ledger?.workers
    .all()
    .filter((worker) => worker.slot === slot)
    .flatMap((worker) => [...worker.tasks].map((record) => record.id))
  return {
    slot,
    state,
    healthy: SERVING.test(state) || state === 'standby',
    pid: process?.pid ?? null,
    browserPid: process?.browserPid ?? null,
    incarnation: snapshot?.context.incarnation ?? 0,
    session:
      process === null
        ? null
        : runtime.workers.sessions.of({ slot, incarnation: process.init.incarnation }),
    running: running ?? [],
    tasksExecuted: facts.tasksExecuted,
    memoryBytes: memory ?? facts.rssBytes,
    uptimeMs: process === null ? 0 : runtime.clock.nowMs() - process.startedAtMs,
    lastActivityMs:
      process === null ? 0 : Math.max(0, runtime.clock.nowMs() - process.lastFrameAtMs),
    restarts: Math.max(0, facts.processesStarted - 1),
    lastError: facts.lastError,
  }
}
