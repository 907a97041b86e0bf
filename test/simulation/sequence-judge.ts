/**
 * Judges a pool from its inside while a sequence of commands is run on it: by the rules of the model,
 * after every step of time, and each action about to be done. It does nothing to the pool.
 */
import type { AnyActorRef, AnyMachineSnapshot } from 'xstate'
import type { World } from '../../src/pool/host/world.ts'
import type { WorkerHandle } from '../../src/process/worker-handle.ts'
import type { LogFields, LogSink } from '../../src/common/logger.ts'
import type { PoolOracle } from '../../src/testing/commands/pool-commands.ts'
import {
  violationIn,
  violationOfCleanEnd,
  violationOfFork,
  violationOfRun,
  type PoolView,
  pendingIn,
} from '../../src/testing/pool-invariants.ts'
import type { Simulation } from '../../src/testing/simulation/simulation.ts'
import {
  violationOfBalance,
  violationOfCrowd,
  violationOfOutcome,
  violationOfRepetition,
  violationOfStart,
} from '../../src/testing/truth-rules.ts'
import { problemText, TraceCheck } from '../../src/testing/conformance/conformance.ts'
import { noteCoverage } from '../support/coverage.ts'
import { liveView, Motion } from './live-view.ts'

const MAX_VIOLATIONS = 5
/** Lines a pool logs only when something is wrong with the pool itself. */
const DEFECT = /UNEXPECTED_EVENT|INVARIANT_VIOLATED|the pool actor failed/

/** An action is done in the middle of a step: what the machines show then may be behind by that step. */
interface Doing {
  readonly slot: string
  readonly incarnation: number
  readonly what: 'fork' | 'run'
  readonly violation: string | null
}

export class SequenceJudge implements LogSink {
  /** How often each rule was asked: one that never was has proved nothing. */
  readonly asked = { fork: 0, run: 0, cleanEnd: 0, rest: 0, moment: 0, step: 0 }
  readonly #violations: string[] = []
  readonly #motion = new Motion()
  readonly #trace: string[] = []
  #simulation: Simulation | null = null
  #doing: Doing[] = []
  /** The pool has just become idle. */
  #hasEnded = false

  /** Called once the pool is made, before it is started. `isRepeatable`: what may have run may run again. */
  attend(simulation: Simulation, isRepeatable: boolean): void {
    this.#simulation = simulation
    const { truth, pool, runtime } = simulation
    truth.onBegin = (action, earlier) => {
      this.#reportIf(violationOfStart(action, earlier))
      if (!isRepeatable) this.#reportIf(violationOfRepetition(action, earlier))
    }
    const { recorder } = runtime ?? {}
    // Taken again at the end: XState warns of machines that take a step in the middle of another's.
    recorder?.follow((line) => void this.#trace.push(line))
    for (const type of ['task.succeeded', 'task.failed', 'task.cancelled'] as const) {
      pool?.on(type, (outcome) => {
        this.#reportIf(violationOfOutcome(outcome, truth))
        truth.forget(outcome.taskId)
      })
    }
    pool?.on('pool.changed', ({ state }) => {
      this.#hasEnded = state === 'idle'
    })
    if (runtime !== null) this.#watchActions(runtime.world)
  }

  /** What is wrong so far, or null. */
  get violation(): string | null {
    return this.#violations.length === 0 ? null : this.#violations.join('\n')
  }

  /** After every step of time, and after every command. */
  check(): void {
    const simulation = this.#simulation
    const ledger = simulation?.runtime?.ledger
    if (!simulation || !ledger) return
    this.#reportIf(violationOfBalance(ledger.counts))
    const doing = this.#doing
    if (!this.#motion.isNew(simulation) && doing.length === 0) return
    this.#reportIf(violationOfCrowd(simulation.machine.processes))
    const view = liveView(simulation)
    if (view === null) return
    this.asked.moment++
    this.#reportIf(violationIn(view))
    if (this.#hasEnded) this.#judgeEnd(simulation, view)
    this.#doing = []
    for (const action of doing) this.#judge(action, view)
  }

  /** At the end: every step that was recorded is taken again by the machines (G8). */
  judgeTrace(): void {
    const check = new TraceCheck({ isBare: true })
    for (const line of this.#trace) check.take(line)
    const { problems, taken, steps } = check.end()
    this.asked.step += steps
    noteCoverage('simulation', taken)
    for (const problem of problems) {
      // The end of a trace is written once its pool has gone.
      if (problem.kind !== 'truncated') this.#reportIf(problemText(problem))
    }
  }

  /** Why the pool is not at rest; null when it is. */
  pending({ tasks }: PoolOracle): string | null {
    const view = this.#simulation === null ? null : liveView(this.#simulation)
    if (view === null) return 'there is no pool'
    this.asked.rest++
    const states = tasks.ids.flatMap((id) => {
      const state = tasks.handleOf(id)?.status().state ?? 'succeeded'
      return { id, state }
    })
    return pendingIn(seenWith(view, { tasks: states }))
  }

  error(message: string, fields?: LogFields): void {
    const text = `${message} ${JSON.stringify(fields ?? {})}`
    if (DEFECT.test(text)) this.#reportIf(text.slice(0, 400))
  }

  warn(): void {}

  info(): void {}

  debug(): void {}

  /** Forks, and tasks sent to a process, pass by here on their way to the machine. */
  #watchActions(world: World): void {
    const { fork } = world
    const watched: World['fork'] = (init, events) => {
      this.#note('fork', init.slot, init.incarnation)
      const process: WorkerHandle = fork(init, events)
      const { sendNow } = process
      process.sendNow = (orders) => {
        if (orders.some(({ kind }) => kind === 'run')) {
          this.#note('run', init.slot, init.incarnation)
        }
        sendNow.call(process, orders)
      }
      return process
    }
    Object.assign(world, { fork: watched })
  }

  #note(what: Doing['what'], slot: string, incarnation: number): void {
    this.asked[what]++
    const view = this.#simulation === null ? null : liveView(this.#simulation)
    const violation =
      view === null ? null : what === 'run' ? violationOfRun(view) : violationOfFork(view, slot)
    this.#doing.push({ what, slot, incarnation, violation })
  }

  /** Wrong is what was wrong before the step and still is after it. */
  #judge({ what, slot, incarnation, violation }: Doing, view: PoolView): void {
    if (violation === null) return
    if (what === 'run') return this.#reportIf(violationOfRun(view))
    const slots = view.slots.map((one) =>
      one.slot === slot
        ? { ...one, processes: one.processes.filter((it) => it.incarnation !== incarnation) }
        : one,
    )
    this.#reportIf(violationOfFork(seenWith(view, { slots }), slot))
  }

  #judgeEnd({ pool }: Simulation, view: PoolView): void {
    this.#hasEnded = false
    if (pool === null) return
    const { children } = pool.getSnapshot() as AnyMachineSnapshot
    const shutdown = (children as Readonly<Record<string, AnyActorRef>>)['shutdown']
    if (shutdown === undefined) return
    const { value, context } = shutdown.getSnapshot() as AnyMachineSnapshot
    if (view.pool !== 'idle' || value !== 'done' || context.clean !== true) return
    this.asked.cleanEnd++
    this.#reportIf(violationOfCleanEnd(view))
  }

  #reportIf(violation: string | null): void {
    if (
      violation === null ||
      this.#violations.length >= MAX_VIOLATIONS ||
      this.#violations.includes(violation)
    )
      return
    this.#violations.push(violation)
  }
}

/** The same view, but for these parts of it. */
function seenWith(view: PoolView, parts: Partial<PoolView>): PoolView {
  return new Proxy(view, {
    get: (target, key) => Reflect.get(key in parts ? parts : target, key),
  })
}
