/**
 * The ledger in the dispatch-scale row: µs for one task to end and the next to be chosen, given out
 * and encoded for its worker, while many wait. No process is forked, so that nothing else is
 * measured. Arguments: how many wait, and `plain` or `mixed` (10,000 groups of which some are at
 * their limit, priorities, requirements and affinities). Prints `{"microseconds": n}`.
 */
import { serialize } from 'node:v8'
import { DEFAULT_ORDER } from '../../../src/ledger/order-plan.ts'
import { MemoryDeadLetters } from '../../../src/ledger/dead-letters.ts'
import type { LedgerEvent } from '../../../src/ledger/events.ts'
import { Ledger } from '../../../src/ledger/ledger.ts'
import { TaskRecord } from '../../../src/ledger/record.ts'
import { MemoryResultCache } from '../../../src/ledger/result-cache.ts'
import { DEFAULT_TASK_OPTIONS, type NormalTaskOptions } from '../../../src/task-options.ts'
import { quantile } from '../row.ts'
import { printFigures } from './flow.ts'

const WORKERS = 4
const SEATS = 8
const GROUPS = 10_000
/** Every so many groups are at their limit from the start, with a task that never ends. */
const FULL_GROUPS = 1_000
const BATCHES = 201
const CYCLES_PER_BATCH = 250
/** Share of the batches that the figure is above. */
const QUICKER = 0.1
const PRIORITIES = [0, 5, 10, 10, 10, 20]
const REQUIREMENTS = [undefined, undefined, ['vpn'], ['print'], ['print', 'vpn']] as const
const CAPABILITIES = {
  'worker-1': ['vpn'],
  'worker-2': ['print'],
  'worker-3': ['vpn', 'print'],
} as const

type Assigned = { readonly taskId: string; readonly attempt: number }
const running: (Assigned & { readonly slot: `worker-${number}` })[] = []
const [waiting = Number.NaN, isMixed = false] = [
  Number(process.argv[2]),
  process.argv[3] === 'mixed',
]
let deferred: (() => void)[] = []
let made = 0
let encodedBytes = 0

const startMs = performance.now()
const clock = {
  nowMs: () => Math.trunc(performance.now() - startMs),
  after: () => () => {},
  defer: (callback: () => void) => void deferred.push(callback),
}
const limited = Array.from({ length: GROUPS / FULL_GROUPS }, (_, index) => [
  `group ${index * FULL_GROUPS}`,
  1,
])
const ledger: Ledger = new Ledger(
  {
    seatsPerWorker: SEATS,
    cancelGraceMs: 0,
    cacheTtlMs: 0,
    order: isMixed
      ? {
          ...DEFAULT_ORDER,
          capabilities: CAPABILITIES,
          groupConcurrency: Object.fromEntries(limited),
        }
      : DEFAULT_ORDER,
  },
  {
    clock,
    random: Math.random,
    wallMs: Date.now,
    deadLetters: new MemoryDeadLetters(0),
    resultCache: new MemoryResultCache(0),
    tellWorker: (slot, event) => {
      if (event.type !== 'tasks.assigned') return
      encodedBytes += serialize({
        incarnation: 1,
        items: event.tasks.map(({ order }) => order),
      }).length
      for (const { taskId, attempt } of event.tasks) running.push({ slot, taskId, attempt })
    },
    tellPool: () => {},
    tellShutdown: () => {},
    abort: () => {},
    killAfterMs: () => 0,
    announce: () => {},
    occupied: () => {},
    unexpected: (state, type) => {
      throw new Error(`${type} in ${state}`)
    },
    halted: () => {},
  },
  (event: LedgerEvent) => ledger.receive(event),
)

function settle(): void {
  while (deferred.length > 0) {
    const now = deferred
    deferred = []
    for (const callback of now) callback()
  }
}

function optionsOf(index: number): NormalTaskOptions {
  if (!isMixed) return DEFAULT_TASK_OPTIONS
  return {
    ...DEFAULT_TASK_OPTIONS,
    priority: PRIORITIES[index % PRIORITIES.length] as number,
    group: `group ${(index * 7) % GROUPS}`,
    requires: REQUIREMENTS[index % REQUIREMENTS.length],
    affinity: index % 4 === 0 ? `key ${index % 64}` : undefined,
  }
}

function submit(): void {
  const record = new TaskRecord(`t${made}`, 'noop', null, optionsOf(made), clock.nowMs())
  made += 1
  ledger.admit(record)
  ledger.receive({ type: 'task.submitted', record })
}

/** The one that has run longest ends well. */
function endOne(): void {
  const task = running.shift()
  if (task === undefined) throw new Error('nothing runs')
  const { slot, taskId, attempt } = task
  ledger.receive({
    type: 'attempts.reported',
    slot,
    incarnation: 1,
    reports: [{ kind: 'ended', taskId, attempt, verdict: 'ok', value: null }],
  })
}

for (let index = 0; index < waiting; index += 1) submit()
for (let worker = 1; worker <= WORKERS; worker += 1) {
  ledger.receive({ type: 'worker.opened', slot: `worker-${worker}`, incarnation: 1 })
}
settle()
const batches = Array.from({ length: BATCHES }, () => {
  const batchMs = performance.now()
  for (let cycle = 0; cycle < CYCLES_PER_BATCH; cycle += 1) {
    endOne()
    settle()
  }
  const durationMs = performance.now() - batchMs
  // Off the clock: what a submission costs depends on the garbage collector, not on the queue.
  for (let cycle = 0; cycle < CYCLES_PER_BATCH; cycle += 1) submit()
  settle()
  return (durationMs * 1_000) / CYCLES_PER_BATCH
})
if (ledger.queued < waiting - WORKERS * SEATS) throw new Error(`${ledger.queued} tasks wait`)
if (encodedBytes === 0) throw new Error('nothing was sent')
// What else the machine does only ever adds: the quicker batches say what it costs.
printFigures({ microseconds: quantile(batches, QUICKER) })
