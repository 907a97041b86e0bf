/**
 * What becomes of one task, said as plainly as possible: where it waits, what stops it, when it is
 * tried again, how it ends. Times are absolute, and what happens at a time is a function. It knows
 * no other task.
 */
import { MAX_KILLS, MAX_RELEASES } from '../../machines/policy.ts'
import type { CancelReason, ExitCause, Verdict } from '../../machines/protocol.ts'
import type { TaskRecord } from '../../src/ledger/task/record.ts'
import type { ScenarioPlan } from './ledger-scenario.ts'
import type { ModelBuckets } from './model-buckets.ts'

type State = TaskRecord['state']

/** A process, as far as its tasks matter. */
export interface ModelProcess {
  readonly name: string
  isOpen: boolean
  readonly tasks: TaskLife[]
}

/** What a life needs of the model around it. */
export interface LifeWorld {
  readonly plan: ScenarioPlan
  readonly buckets: ModelBuckets
  nowMs: number
  /** Told of everything that must be done. */
  must(action: string): void
  /** It has just ended. */
  ended(life: TaskLife): void
}

const BLAMELESS: ReadonlySet<ExitCause> = new Set([
  'memoryShortage',
  'stopped',
  'recycled',
  'cancelled',
])
const ENDS: ReadonlySet<State> = new Set(['succeeded', 'failed', 'cancelled'])
const ON_PROCESS: ReadonlySet<State> = new Set(['assigned', 'running', 'cancelling'])
const END_OF: Readonly<Record<CancelReason, string>> = {
  requested: 'cancelled TASK_CANCELLED',
  shutdown: 'cancelled TASK_CANCELLED',
  timedOut: 'failed TASK_TIMED_OUT',
  expired: 'failed TASK_EXPIRED',
}

export class TaskLife {
  readonly record: TaskRecord
  state: State = 'submitted'
  starts = 0
  releases = 0
  process: ModelProcess | null = null
  timer: { readonly atMs: number; readonly ring: () => void } | null = null
  deadlineAtMs: number
  /** Those it still waits for. */
  readonly waitsFor = new Set<TaskLife>()
  value: unknown = undefined
  /** Its value was known before it ran. */
  isAnswered = false
  endedAtMs = 0
  parents: readonly TaskLife[] = []
  readonly #world: LifeWorld
  #kills = 0
  #reason: CancelReason = 'requested'

  constructor(record: TaskRecord, world: LifeWorld) {
    const { deadline } = record.options
    this.record = record
    this.#world = world
    this.deadlineAtMs = deadline === 0 ? Infinity : record.submittedAtMs + deadline
  }

  get hasEnded(): boolean {
    return ENDS.has(this.state)
  }

  get isActive(): boolean {
    return ON_PROCESS.has(this.state)
  }

  get isWaiting(): boolean {
    return !this.hasEnded && !this.isActive
  }

  /** The attempt that runs, or ran last. */
  get name(): string {
    return `${this.record.id}#${this.starts}`
  }

  /** Whether it is being stopped for good. */
  get isBeingStopped(): boolean {
    return this.state === 'cancelling' && this.#reason !== 'timedOut'
  }

  accept(): void {
    if (this.state !== 'submitted') return
    for (const parent of this.parents) this.waitsFor.add(parent)
    this.state = 'blocked'
    if (this.waitsFor.size === 0) this.#free()
  }

  /** What those have come to that had ended before it came. */
  hearEnded(): void {
    for (const parent of this.parents) if (parent.hasEnded) this.hear(parent)
  }

  /** One that it waits for has ended. */
  hear(parent: TaskLife): void {
    if (this.state !== 'blocked') return
    this.waitsFor.delete(parent)
    const isHarmless =
      parent.state === 'succeeded' || this.record.options.dependencyFailure === 'run'
    if (!isHarmless) return this.end('failed DEPENDENCY_FAILED')
    if (this.waitsFor.size === 0) this.#free()
  }

  /** Nothing stands in its way but its own delay. */
  #free(): void {
    const { delay } = this.record.options
    if (delay === 0) return this.#enqueue('back')
    this.state = 'delayed'
    this.#setTimer(delay, () => this.#enqueue('back'))
  }

  /** Returns what is wrong with it. */
  start(process: ModelProcess, attempt: number): string[] {
    if (this.state !== 'queued') return [`started ${this.name}, which is ${this.state}`]
    const { timeout, attempts } = this.record.options
    this.starts++
    this.state = 'assigned'
    this.process = process
    process.tasks.push(this)
    this.timer = null
    if (timeout > 0) this.#setTimer(timeout, () => this.stop('timedOut'))
    if (this.starts - this.releases > attempts) return [`${this.name} is a start too many`]
    return attempt === this.starts ? [] : [`${this.name} was told as attempt ${attempt}`]
  }

  sayStarted(): void {
    const { timeout } = this.record.options
    if (this.state === 'assigned') {
      this.state = 'running'
      if (timeout > 0) this.#setTimer(timeout, () => this.stop('timedOut'))
    }
    this.#world.must(`started ${this.name}`)
  }

  sayProgress(): void {
    this.#world.must(`progressed ${this.name}`)
  }

  /** Where it waits it ends; where it runs it is told to stop, and ends when it has. */
  stop(reason: CancelReason): void {
    if (this.hasEnded) return
    if (this.process === null) return this.end(END_OF[reason])
    const isCancelling = this.state === 'cancelling'
    // A deadline says more than a timeout, and less than somebody's word.
    if (isCancelling && reason === 'expired' && this.#reason !== 'timedOut') return
    this.#reason = reason
    if (isCancelling) return
    this.state = 'cancelling'
    const { must, plan } = this.#world
    const { name } = this.process
    must(`abort ${this.name} at ${name}: ${reason}, ${plan.cancelGraceMs} ms`)
    this.#setTimer(Math.max(plan.killAfterMs, 1), () => {
      must(`kill ${name}: cancelled`)
      this.timer = null
    })
  }

  endAttempt(verdict: Verdict, code: string | undefined, value?: unknown): void {
    // What starts and ends within one frame is told as both.
    if (this.state === 'assigned') this.#world.must(`started ${this.name}`)
    const isStopped = this.#leave() === 'cancelling'
    if (verdict === 'ok') {
      this.value = value
      return this.end('succeeded')
    }
    if (isStopped) return this.#endStopped()
    const { retryOn } = this.record.options
    const isNamed = retryOn === undefined || code === undefined || retryOn.includes(code)
    if (verdict === 'retryable' && code !== 'BROWSER_LOST' && !isNamed) {
      return this.end(`failed ${code}`)
    }
    if (verdict === 'released' && this.releases < MAX_RELEASES) return this.release()
    const mayHaveRun = code === 'BROWSER_LOST' && !this.record.options.idempotent
    if (verdict === 'permanent' || mayHaveRun) return this.end(`failed ${code}`)
    this.#retry(`failed ${code}`)
  }

  /** Its process is gone. True when that costs it nothing: then it is to be released. */
  lose(cause: ExitCause, isAlone: boolean): boolean {
    if (this.#leave() === 'cancelling') {
      this.#endStopped()
      return false
    }
    if (!this.record.options.idempotent) {
      this.end('failed WORKER_LOST')
      return false
    }
    const isBystander = BLAMELESS.has(cause) || (cause === 'memory' && !isAlone)
    if (isBystander && this.releases < MAX_RELEASES) return true
    if (isAlone) this.#kills++
    if (isAlone && this.#kills >= MAX_KILLS) this.end('failed WORKER_LOST')
    else this.#retry('failed WORKER_LOST')
    return false
  }

  release(): void {
    this.releases++
    this.#enqueue('front')
  }

  ring(): void {
    const { nowMs } = this.#world
    if (this.deadlineAtMs <= nowMs) {
      this.deadlineAtMs = Infinity
      this.stop('expired')
    }
    if (this.timer !== null && this.timer.atMs <= nowMs) this.timer.ring()
  }

  end(how: string): void {
    this.#world.buckets.remove(this)
    this.state = how.split(' ', 1)[0] as State
    this.timer = null
    this.deadlineAtMs = Infinity
    this.endedAtMs = this.#world.nowMs
    this.#world.must(`ended ${this.record.id} ${how}`)
    this.#world.ended(this)
  }

  #enqueue(where: 'front' | 'back'): void {
    const { queueTimeout } = this.record.options
    this.state = 'queued'
    this.timer = null
    if (this.starts === 0 && queueTimeout > 0) {
      this.#setTimer(queueTimeout, () => this.end('failed TASK_EXPIRED'))
    }
    this.#world.buckets.add(this, where)
  }

  #endStopped(): void {
    const { idempotent } = this.record.options
    if (this.#reason === 'timedOut' && idempotent) this.#retry(END_OF.timedOut)
    else this.end(END_OF[this.#reason])
  }

  #retry(failure: string): void {
    const failures = this.starts - this.releases
    const { attempts, backoff } = this.record.options
    if (failures >= attempts) return this.end(failure)
    const { type, delay, maxDelay, jitter } = backoff
    const full = Math.min(type === 'fixed' ? delay : delay * 2 ** (failures - 1), maxDelay)
    const ms = Math.round(full + full * jitter * (2 * this.#world.plan.random - 1))
    this.state = 'backingOff'
    this.#setTimer(Math.max(ms, 1), () => this.#enqueue('back'))
    this.#world.must(`retried ${this.name}`)
  }

  /** Off its process. Returns the state it left in. */
  #leave(): State {
    this.process?.tasks.splice(this.process.tasks.indexOf(this), 1)
    this.process = null
    return this.state
  }

  #setTimer(ms: number, ring: () => void): void {
    this.timer = { atMs: this.#world.nowMs + ms, ring }
  }
}
