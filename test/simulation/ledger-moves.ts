/**
 * What can happen to a ledger, as plain data, so that fast-check can draw it, shrink it and print
 * it. A move names things by number; what the number means is looked up when it is made, so that
 * every list of moves can be played.
 */
import fc from 'fast-check'
import type {
  CancelReason,
  DispatchHolder,
  ExitCause,
  SlotId,
  Verdict,
} from '../../machines/protocol.ts'
import type { AttemptReport } from '../../src/process/ipc/protocol.ts'
import { DEFAULT_TASK_OPTIONS } from '../../src/config/task-options.ts'
import { type NormalTaskOptions } from '../../src/config/task-option-checks.ts'
import {
  type FakeProcess,
  type LedgerScenario,
  POOL_ERROR,
  type ScenarioPlan,
} from './ledger-scenario.ts'

type DrawnOptions = Pick<
  NormalTaskOptions,
  | 'priority'
  | 'delay'
  | 'timeout'
  | 'queueTimeout'
  | 'deadline'
  | 'attempts'
  | 'idempotent'
  | 'backoff'
  | 'retryOn'
  | 'dependencyFailure'
  | 'deduplication'
  | 'cache'
> & {
  /** Tasks it depends on, by number. */
  readonly parents: readonly number[]
}
interface DrawnReport {
  readonly kind: AttemptReport['kind']
  readonly pick: number
  readonly verdict: Verdict
  /** Of an attempt that was not ok. */
  readonly code: 'TASK_FAILED' | 'BROWSER_LOST'
  readonly violation: 'none' | 'twice' | 'older' | 'unknown'
}
export type Move =
  | { readonly do: 'submit'; readonly options: DrawnOptions }
  /** Many at once. Each may depend on any after it in the list, too. */
  | { readonly do: 'batch'; readonly tasks: readonly DrawnOptions[]; readonly next: boolean }
  /** Sends a dead letter again. */
  | { readonly do: 'redrive'; readonly pick: number }
  | { readonly do: 'open'; readonly slot: SlotId }
  | { readonly do: 'close'; readonly pick: number }
  | { readonly do: 'exit'; readonly pick: number; readonly cause: ExitCause }
  | { readonly do: 'report'; readonly pick: number; readonly reports: readonly DrawnReport[] }
  /** What a process says that is gone, or that another slot's process has. */
  | { readonly do: 'misreport'; readonly pick: number; readonly incarnation: number }
  | { readonly do: 'cancel'; readonly pick: number; readonly reason: CancelReason }
  | { readonly do: 'hold' | 'free'; readonly holder: DispatchHolder }
  | { readonly do: 'drain' | 'openIntake' | 'closeIntake' | 'cancelAll' | 'failPool' }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'settle' }
export type Ending = 'shutdown' | 'halt' | 'finish'
export interface Game {
  readonly plan: ScenarioPlan
  readonly moves: readonly Move[]
  /** Moves that listeners make while the ledger is still at work: one at each word about a task. */
  readonly reactions: readonly Move[]
  readonly ending: Ending
}

const VERDICTS = ['ok', 'retryable', 'permanent', 'cancelled', 'released'] as const
const CAUSES = [
  'crashed',
  'silent',
  'memory',
  'memoryShortage',
  'stopped',
  'recycled',
  'cancelled',
] as const
const HOLDERS = ['pool', 'memory', 'breaker', 'shutdown'] as const
const SLOTS = ['worker-1', 'worker-2', 'worker-3'] as const
const MAX_MOVES = 60
const MAX_REACTIONS = 6
/** Above all ids that the stage itself gives. */
const FIRST_BATCH_ID = 9_000

const pick = fc.nat({ max: 20 })
/** None in most tasks, so that one option does not hide what another does. */
const durationMs = (maxMs: number) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: maxMs }))
const key = fc.constantFrom('a', 'b')
const seldom = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 2, arbitrary: fc.constant(undefined) }, arbitrary)
const backoff = fc
  .record({
    type: fc.constantFrom('fixed' as const, 'exponential' as const),
    delay: fc.nat({ max: 10 }),
    jitter: fc.constantFrom(0, 0.2, 1),
    extra: fc.nat({ max: 20 }),
  })
  .map(({ extra, ...rest }) => ({ ...rest, maxDelay: rest.delay + extra }))
const options: fc.Arbitrary<DrawnOptions> = fc.record({
  priority: fc.constantFrom(10, 10, 10, 0, 5, 20, 100),
  delay: durationMs(20),
  timeout: durationMs(30),
  queueTimeout: durationMs(30),
  deadline: durationMs(60),
  attempts: fc.integer({ min: 1, max: 3 }),
  idempotent: fc.boolean(),
  backoff,
  retryOn: fc.constantFrom(undefined, undefined, ['TASK_FAILED'], ['OTHER']),
  dependencyFailure: fc.constantFrom('fail', 'fail', 'run'),
  parents: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, fc.array(pick, { maxLength: 3 })),
  deduplication: seldom(fc.record({ key, ttl: fc.constantFrom(0, 20) })),
  cache: seldom(fc.record({ key, ttl: fc.constantFrom(null, 0, 2, 10) })),
})
const report: fc.Arbitrary<DrawnReport> = fc.record({
  kind: fc.constantFrom('ended', 'ended', 'started', 'progress'),
  pick,
  verdict: fc.constantFrom(...VERDICTS),
  code: fc.constantFrom('TASK_FAILED', 'TASK_FAILED', 'BROWSER_LOST'),
  violation: fc.constantFrom('none', 'none', 'none', 'none', 'twice', 'older', 'unknown'),
})
/** A move that comes up `weight` times as often as one of weight 1. */
const often = <Made extends Move['do'], Fields>(
  weight: number,
  made: readonly Made[],
  fields: { [Name in keyof Fields]: fc.Arbitrary<Fields[Name]> },
) => ({ weight, arbitrary: fc.record({ do: fc.constantFrom(...made), ...fields }) })
const ms = fc.nat({ max: 25 })
const anySlot = fc.constantFrom(...SLOTS)
const cause = fc.constantFrom(...CAUSES)
const holder = fc.constantFrom(...HOLDERS)
const reason = fc.constantFrom('requested', 'shutdown')
const move = fc.oneof(
  often(24, ['submit'], { options }),
  often(4, ['batch'], {
    tasks: fc.array(options, { minLength: 2, maxLength: 4 }),
    next: fc.boolean(),
  }),
  often(6, ['redrive'], { pick }),
  often(32, ['report'], {
    pick,
    reports: fc.array(report, { minLength: 1, maxLength: 4 }),
  }),
  often(24, ['settle'], {}),
  often(12, ['pass'], { ms }),
  often(10, ['open'], { slot: anySlot }),
  often(5, ['exit'], { pick, cause }),
  often(3, ['cancel'], { pick, reason }),
  often(2, ['close'], { pick }),
  often(2, ['misreport'], { pick, incarnation: fc.nat({ max: 3 }) }),
  often(3, ['hold', 'free', 'free'], { holder }),
  often(3, ['openIntake'], {}),
  often(3, ['drain', 'drain', 'closeIntake', 'cancelAll', 'failPool'], {}),
) as fc.Arbitrary<Move>

/** A listener cannot move the time. */
function isForListeners(made: Move): boolean {
  return made.do !== 'pass' && made.do !== 'settle'
}

export const games: fc.Arbitrary<Game> = fc.record({
  plan: fc.record({
    tasksPerWorker: fc.integer({ min: 1, max: 3 }),
    cancelGraceMs: fc.constantFrom(0, 5),
    killAfterMs: fc.constantFrom(0, 1, 5, 12),
    random: fc.constantFrom(0, 0.3, 0.999),
    earlyMs: fc.constantFrom(0, 0, 1),
    cacheTtlMs: fc.constantFrom(0, 3),
  }),
  moves: fc.array(move, { maxLength: MAX_MOVES, size: 'max' }),
  reactions: fc.array(move.filter(isForListeners), { maxLength: MAX_REACTIONS }),
  ending: fc.constantFrom('shutdown' as const, 'halt' as const, 'finish' as const),
})

const at = <T>(list: readonly T[], index: number): T | undefined => list[index % list.length]

/**
 * Makes one move. What cannot be done now is not done: a pool that takes no tasks refuses them at
 * its border.
 */
export function play(scenario: LedgerScenario, made: Move): void {
  switch (made.do) {
    case 'submit':
      if (scenario.isTaking) scenario.submit(optionsOf(scenario, made.options))
      return
    case 'batch':
      if (scenario.isTaking) scenario.submitAll(batchOf(scenario, made))
      return
    case 'redrive':
      return redrive(scenario, made.pick)
    case 'open':
      return void scenario.open(made.slot)
    case 'close':
      return withPicked(scenario.processes, made.pick, (process) => scenario.close(process))
    case 'exit':
      return withPicked(scenario.processes, made.pick, (process) =>
        scenario.exit(process, made.cause),
      )
    case 'report':
      return withPicked(scenario.processes, made.pick, (process) =>
        scenario.report(
          process,
          made.reports.flatMap((drawn) => reportsOf(process, drawn)),
        ),
      )
    case 'misreport':
      return withPicked(scenario.processes, made.pick, (process) =>
        misreport(scenario, process, made),
      )
    case 'cancel':
      return withPicked(scenario.records, made.pick, (record) =>
        scenario.cancel(record, made.reason),
      )
    case 'hold':
    case 'free':
      return scenario.send({ type: `dispatch.${made.do}`, holder: made.holder })
    case 'drain':
      return scenario.send({ type: 'intake.drain' })
    case 'openIntake':
      return scenario.send({ type: 'intake.open' })
    case 'closeIntake':
      return scenario.send({ type: 'intake.close' })
    case 'cancelAll':
      return scenario.send({ type: 'tasks.cancelAll' })
    case 'failPool':
      return scenario.send({ type: 'pool.failed', error: POOL_ERROR })
    case 'pass':
      return scenario.clock.advance(made.ms)
    case 'settle':
      return scenario.clock.settle()
  }
}

function optionsOf(
  scenario: LedgerScenario,
  { parents, ...plain }: DrawnOptions,
): NormalTaskOptions {
  const ids = parents.flatMap((index) => at(scenario.records, index)?.id ?? [])
  return { ...DEFAULT_TASK_OPTIONS, ...plain, dependsOn: [...new Set(ids)] }
}

/** Where `next` says so, each but the last waits for the one after it, which is not there yet. */
function batchOf(
  scenario: LedgerScenario,
  { tasks, next }: Extract<Move, { do: 'batch' }>,
): NormalTaskOptions[] {
  const idAt = (index: number) => `t${FIRST_BATCH_ID + 10 * scenario.records.length + index}`
  return tasks.map((drawn, index) => {
    const { dependsOn, ...others } = optionsOf(scenario, { ...drawn, deduplication: undefined })
    const after = next && index + 1 < tasks.length ? [idAt(index + 1)] : []
    return { ...others, id: idAt(index), dependsOn: [...(dependsOn ?? []), ...after] }
  })
}

function redrive(scenario: LedgerScenario, index: number): void {
  const { letters } = scenario.api.list()
  const letter = at(letters, index)
  if (letter === undefined || !scenario.isTaking || scenario.ledger.has(letter.id)) return
  const { id } = scenario.api.redrive(letter.id)
  if (id !== letter.id) scenario.onLetterMet(letter.id)
}

function withPicked<T>(list: readonly T[], index: number, act: (picked: T) => void): void {
  const picked = at(list, index)
  if (picked !== undefined) act(picked)
}

function reportsOf(process: FakeProcess, drawn: DrawnReport): AttemptReport[] {
  const has = at(process.attempts, drawn.pick)
  if (has === undefined) return []
  const taskId = drawn.violation === 'unknown' ? 't0' : has.taskId
  const attempt = drawn.violation === 'older' ? has.attempt - 1 : has.attempt
  const made = reportOf(drawn, taskId, attempt)
  return drawn.violation === 'twice' ? [made, made] : [made]
}

export const OK = { kind: 'ended', verdict: 'ok', code: 'TASK_FAILED' } as const

export function reportOf(
  { kind, verdict, code }: Pick<DrawnReport, 'kind' | 'verdict' | 'code'>,
  taskId: string,
  attempt: number,
): AttemptReport {
  if (kind === 'started') return { kind, taskId, attempt }
  if (kind === 'progress') return { kind, taskId, attempt, progress: attempt }
  if (verdict === 'ok') return { kind, taskId, attempt, verdict, value: `${taskId}#${attempt}` }
  const error = { code, message: `it was ${verdict}` }
  return { kind, taskId, attempt, verdict, error }
}

/**
 * The attempts of one process, told under the name of another: of another slot, or of another
 * incarnation.
 */
function misreport(
  scenario: LedgerScenario,
  { slot, incarnation: own, attempts }: FakeProcess,
  { incarnation }: Extract<Move, { do: 'misreport' }>,
): void {
  const reports = attempts.map(({ taskId, attempt }) => reportOf(OK, taskId, attempt))
  if (incarnation !== own) {
    return scenario.send({ type: 'attempts.reported', slot, incarnation, reports })
  }
  const other = scenario.processes.find((process) => process.slot !== slot)
  if (other === undefined) return
  const { slot: otherSlot, incarnation: others } = other
  scenario.send({ type: 'attempts.reported', slot: otherSlot, incarnation: others, reports })
}
