/**
 * What must hold in every simulated life, judged from outside: what was accepted and how it ended, and
 * what the machine really did. It keeps its own books and believes nothing that the pool says.
 */
import type { PoolActor } from '../../src/pool/actor.ts'
import type { TaskHandle, TaskOutcome } from '../../src/api/task.ts'
import type { LogFields, LogSink } from '../../src/common/logger.ts'
import {
  violationOfBalance,
  violationOfCrowd,
  violationOfLeftovers,
  violationOfOutcome,
  violationOfRepetition,
  violationOfStart,
} from '../../src/testing/truth-rules.ts'
import type { Action as TaskAction } from '../../src/testing/simulation/virtual-tasks.ts'
import { liveView, Motion, SlotViews } from './live-view.ts'
import { violationIn } from '../../src/testing/pool-invariants.ts'
import type { Simulation } from '../../src/testing/simulation/simulation.ts'

/** More than this is one violation, told many times. */
const MAX_VIOLATIONS = 5
/** Lines a pool logs only when something is wrong with the pool itself. */
const DEFECT = /UNEXPECTED_EVENT|INVARIANT_VIOLATED|the pool actor failed/

export class Oracle implements LogSink {
  readonly violations: string[] = []
  /** A fingerprint of all that was told, in its order and time. */
  hash = 2_166_136_261
  readonly handles: TaskHandle[] = []
  /** How tasks and workers have ended, by kind: what was never seen was never tested. */
  readonly seen = new Map<string, number>()
  /** By task: how often it was accepted, and told to have ended. */
  readonly #runs = new Map<string, number>()
  readonly #ends = new Map<string, number>()
  /** Told as kept by the store for the next pool. */
  readonly #kept = new Set<string>()
  #simulation: Simulation | null = null
  #isRepeatable = true
  #activeWhilePaused = -1
  readonly #motion = new Motion()
  readonly #slots = new SlotViews()

  /** `isRepeatable`: what may have run may run again. */
  attend(simulation: Simulation, isRepeatable: boolean): void {
    this.#simulation = simulation
    this.#isRepeatable = isRepeatable
    simulation.truth.onBegin = this.#judgeStart.bind(this)
  }

  #judgeStart(action: TaskAction, earlier: readonly TaskAction[]): void {
    this.#reportIf(violationOfStart(action, earlier))
    const isOneLife = (this.#runs.get(action.taskId) ?? 1) === 1
    if (!this.#isRepeatable && isOneLife) this.#reportIf(violationOfRepetition(action, earlier))
  }

  /** Hears everything a pool tells. */
  listen(pool: PoolActor): void {
    for (const type of ['task.succeeded', 'task.failed', 'task.cancelled'] as const) {
      pool.on(type, (outcome) => this.#ended(outcome))
    }
    pool.on('task.started', (event) => this.note('started', event.taskId, event.attempt))
    pool.on('task.retried', (event) => this.note('retried', event.taskId, event.error.code))
    pool.on('worker.ready', (event) => this.note('ready', event.slot, event.incarnation))
    pool.on('worker.exited', (event) => {
      this.note('exited', event.slot, event.cause)
      this.#count(`worker ${event.cause}`)
    })
    pool.on('pool.changed', (event) => {
      this.note('pool', event.state, '')
      this.#count(`pool ${event.state}`)
    })
  }

  accept(handle: TaskHandle): void {
    // A task may be given back for another: then it is the same one.
    if (!this.#runs.has(handle.id)) this.#runs.set(handle.id, 1)
    this.handles.push(handle)
  }

  /** A dead letter is sent again: under its old id it ends once more. */
  readmit(handle: TaskHandle): void {
    const runs = this.#runs.get(handle.id) ?? 1
    // By its key another one may stand for it that has not ended: then nothing was sent.
    if (this.#endsOf(handle.id) < runs) return
    this.#runs.set(handle.id, runs + 1)
    this.handles.push(handle)
  }

  report(what: string): void {
    const atMs = this.#simulation?.clock.nowMs() ?? 0
    if (this.violations.length < MAX_VIOLATIONS) this.violations.push(`${what} (at ${atMs} ms)`)
  }

  note(what: string, who: string, how: string | number): void {
    const text = `${this.#simulation?.clock.nowMs()} ${what} ${who} ${how}`
    for (let at = 0; at < text.length; at++) {
      this.hash = Math.imul(this.hash ^ text.charCodeAt(at), 16_777_619)
    }
  }

  /** After every step of time. */
  check(): void {
    const simulation = this.#simulation
    const runtime = simulation?.runtime
    if (!simulation || !runtime?.ledger) return
    const { counts } = runtime.ledger
    this.#reportIf(violationOfBalance(counts))
    this.#watchPause(counts.active)
    if (!this.#motion.isNew(simulation)) return
    this.#reportIf(violationOfCrowd(simulation.machine.processes))
    const view = liveView(simulation, this.#slots)
    if (view !== null) this.#reportIf(violationIn(view))
  }

  #watchPause(active: number): void {
    const { value } = this.#simulation?.pool?.getSnapshot() ?? { value: 'idle' }
    const isPaused = typeof value === 'object' && 'paused' in value
    if (isPaused && this.#activeWhilePaused >= 0 && active > this.#activeWhilePaused) {
      this.report('a paused pool has started a task')
    }
    this.#activeWhilePaused = isPaused ? active : -1
  }

  /** Once the pool has been shut down. */
  judgeEnd(): void {
    const simulation = this.#simulation as Simulation
    this.#reportIf(violationOfLeftovers(simulation.machine.leftovers()))
    for (const [id, runs] of this.#runs) {
      const ends = this.#endsOf(id)
      const isWaiting = ends === runs - 1 && this.#kept.has(id)
      if (ends !== runs && !isWaiting)
        this.report(`${id} was accepted ${runs} times and ended ${ends} times`)
    }
    this.note('end', String(simulation.machine.pids), this.#runs.size)
  }

  /**
   * The pool's process is dead. What it had accepted must end all the same if it is in a store; else it
   * is nobody's any more.
   */
  noteKill(isStored: boolean): void {
    for (const id of this.unended()) {
      if (isStored) this.#kept.add(id)
      else this.forgetOne(id)
    }
    this.handles.length = 0
    this.#activeWhilePaused = -1
  }

  /** They have ended, once: they need no books any more. */
  forget(ids: readonly string[]): void {
    for (const id of ids) {
      if (this.#endsOf(id) !== 1) this.report(`${id} ended ${this.#endsOf(id)} times`)
      this.forgetOne(id)
    }
    this.handles.length = 0
  }

  forgetOne(id: string): void {
    this.#ends.delete(id)
    this.#runs.delete(id)
  }

  /** All that was accepted has ended. */
  isDone(): boolean {
    for (const [id, runs] of this.#runs) if (this.#endsOf(id) < runs) return false
    return true
  }

  unended(): string[] {
    return [...this.#runs].flatMap(([id, runs]) => (this.#endsOf(id) < runs ? [id] : []))
  }

  #count(what: string): void {
    this.seen.set(what, (this.seen.get(what) ?? 0) + 1)
  }

  #endsOf(id: string): number {
    return this.#ends.get(id) ?? 0
  }

  error(message: string, fields?: LogFields): void {
    const text = `${message} ${JSON.stringify(fields ?? {})}`
    if (DEFECT.test(text)) this.report(text.slice(0, 400))
  }

  warn(): void {}

  info(): void {}

  debug(): void {}

  #ended(outcome: TaskOutcome): void {
    const { taskId } = outcome
    const how = outcome.status === 'succeeded' ? 'ok' : outcome.error.code
    this.note('ended', taskId, how)
    this.#count(`task ${outcome.status} ${how}`)
    if (!this.#runs.has(taskId)) this.#runs.set(taskId, 1)
    if (isKept(outcome)) return void this.#kept.add(taskId)
    this.#ends.set(taskId, this.#endsOf(taskId) + 1)
    this.#reportIf(violationOfOutcome(outcome, (this.#simulation as Simulation).truth))
  }

  #reportIf(violation: string | null): void {
    if (violation !== null) this.report(violation)
  }
}

/** It waits in the store for the next pool: what was told is no end. */
function isKept(outcome: TaskOutcome): boolean {
  return (
    outcome.status !== 'succeeded' && outcome.error.message.includes('the store keeps the task')
  )
}
