/**
 * `status()`: what a pool is doing, read from counters that are kept anyway. It costs the same with
 * a million tasks queued.
 */
import type { SlotId } from '../machines/vocabulary.ts'
import type { PoolRuntime } from './pool-runtime.ts'
import type { PoolStatus, WorkerStatus } from './pool-types.ts'

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
    tasks: {
      submitted: counts?.submitted ?? 0,
      pending: counts?.pending ?? 0,
      active: counts?.active ?? 0,
      succeeded: counts?.succeeded ?? 0,
      failed: counts?.failed ?? 0,
      cancelled: counts?.cancelled ?? 0,
      retried: counts?.retried ?? 0,
    },
    processesStarted: workers.processesStarted,
    logins: workers.logins,
    reuseRate: executed === 0 ? 0 : Math.max(0, executed - workers.processesStarted) / executed,
    throughput: uptimeMs === 0 ? 0 : (ended * 1_000) / uptimeMs,
    memory: {
      usedRatio: watch.memoryRatio,
      workersBytes: [...watch.memoryBytes.values()].reduce((sum, bytes) => sum + bytes, 0),
    },
    lastError: facts.error,
  }
}

function workerStatus(runtime: PoolRuntime, slot: SlotId): WorkerStatus {
  const snapshot = runtime.actors.get(slot)?.getSnapshot()
  const process = runtime.workers.newest(slot)
  const facts = runtime.workers.factsOf(slot)
  const life = snapshot?.value.life
  const state =
    typeof life === 'string'
      ? life
      : Object.entries(life ?? {})
          .flat()
          .join('.')
  const running = runtime.ledger?.seats
    .all()
    .filter((seat) => seat.slot === slot)
    .flatMap((seat) => [...seat.tasks].map((record) => record.id))
  return {
    slot,
    state,
    healthy: state.startsWith('ready') || state.startsWith('recycling'),
    pid: process?.pid ?? null,
    browserPid: process?.browserPid ?? null,
    incarnation: snapshot?.context.incarnation ?? 0,
    running: running ?? [],
    tasksExecuted: facts.tasksExecuted,
    memoryBytes: runtime.watch.memoryBytes.get(slot) ?? facts.rssBytes,
    uptimeMs: process === null ? 0 : Date.now() - process.startedAt,
    lastActivityMs: process === null ? 0 : Math.max(0, Date.now() - process.lastFrameAt),
    restarts: Math.max(0, facts.processesStarted - 1),
    lastError: facts.lastError,
  }
}
