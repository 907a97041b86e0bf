/**
 * The door of a pool. Everything that can be wrong with a task is found here, before anything is
 * started for it, and the task is handed back with the refusal. Who may wait for room waits here,
 * first come, first served. It never looks at a task again once it is in.
 */
import type { CancelReason } from '../../../machines/protocol.ts'
import { deserializeError, TroupeError, type TroupeErrorCode } from '../../common/errors.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import { TaskRecord } from '../../ledger/task/record.ts'
import { asRecord, refuse } from '../../common/checks.ts'
import { payloadOf } from '../../values/payload.ts'
import { watchQueue } from '../observe/alarms.ts'
import { Batch, circle, relate } from './batch.ts'
import { type Given, givenOf, handedBack, handingBack } from './given-task.ts'
import { PoolGrowth } from './sequential-growth.ts'
import type { PoolRuntime } from '../runtime.ts'
import { type PoolMachineActor, isDraining, isUp, stateName } from '../states.ts'
import type { TaskOptions, TaskRequest } from '../../api/task.ts'
import { WaitingRoom } from './waiting-callers.ts'
import { watchOf } from '../../ledger/task/handle.ts'
import { parseTaskOptions } from '../../config/task-options.ts'
import { type NormalTaskOptions } from '../../config/task-option-checks.ts'

/** Tasks of one `submitAll`. */
const MAX_BATCH = 100_000
const MAX_IDS_SHOWN = 10

/** A task as it was handed in. `options` are read when it is known which task they are of. */
export interface Request {
  /** As given: not checked yet. */
  readonly id?: string
  readonly name: string
  readonly payload: unknown
  readonly options: (defaults: NormalTaskOptions) => NormalTaskOptions
}

export interface Accepted {
  readonly record: TaskRecord
  /** False: an earlier task stands for its key. */
  readonly isNew: boolean
}

/** Who asks for room alone. */
const NOBODY: Given = { id: '', name: '', payload: undefined }

interface Draft {
  readonly id: string
  readonly name: string
  /** As it was when it was handed in. */
  readonly payload: unknown
  /** The submitter's own: what a refusal gives back. */
  readonly given: unknown
  readonly options: NormalTaskOptions
}

interface Fresh {
  readonly record: TaskRecord
  readonly draft: Draft
}

export class PoolIntake {
  readonly #actor: PoolMachineActor
  readonly #runtime: PoolRuntime
  readonly #growth: PoolGrowth
  readonly #waiting: WaitingRoom

  constructor(actor: PoolMachineActor, runtime: PoolRuntime) {
    this.#actor = actor
    this.#runtime = runtime
    this.#growth = new PoolGrowth(actor, runtime)
    this.#waiting = new WaitingRoom(actor, runtime)
  }

  accept(request: Request): Accepted {
    return this.#enter(this.#check(request))
  }

  /** All of them, or none. Their ids may refer to each other. */
  acceptAll(requests: readonly Request[]): Accepted[] {
    if (requests.length === 0) refuse('tasks', 'must have at least one entry')
    if (requests.length > MAX_BATCH) {
      refuse('tasks', `must have at most ${MAX_BATCH} entries; it has ${requests.length}`)
    }
    return this.#enterAll(requests.map((request) => this.#check(request)))
  }

  /** As `accept`, but where the pool's option says so it waits for room. */
  acceptSoon(request: Request): Accepted | Promise<Accepted> {
    const draft = this.#check(request)
    const mayWait = this.#runtime.config.queueFull === 'wait'
    if (!mayWait || this.#waiting.isOpen) return this.#enter(draft)
    this.#reportFull()
    return this.#waiting.wait(() => this.#enter(draft), givenOf(draft), draft.options.signal)
  }

  /** Resolves when the pool would take a task. */
  async accepting(): Promise<void> {
    this.#ledger(NOBODY)
    if (!this.#waiting.isOpen) await this.#waiting.wait(() => void this.#ledger(NOBODY), NOBODY)
  }

  cancel(record: TaskRecord, reason: CancelReason): void {
    this.#runtime.router.send('client', 'ledger', { type: 'task.cancel', record, reason })
  }

  /** What does not depend on other tasks. */
  #check({ id: ownId = '', name, payload: given, options: read }: Request): Draft {
    const { config, world, workers, types } = this.#runtime
    const task = { id: ownId, name, payload: given }
    const ledger = this.#ledger(task)
    const { manifest } = workers
    try {
      if (manifest !== null && !manifest.has(name)) throw types.unknown(name, manifest.values())
      const options = read(config.task)
      const payload = payloadOf(given)
      types.check(name, payload)
      const refusal = ledger.dispatch.refusal(options)
      if (refusal !== null) throw new TroupeError('CONFIG_INVALID', refusal)
      return { id: options.id ?? world.newId(), name, payload, given, options }
    } catch (error) {
      throw handedBack(task, error)
    }
  }

  #enter(draft: Draft): Accepted {
    const ledger = this.#ledger(givenOf(draft))
    try {
      const found = this.#find(draft, ledger)
      if (found !== null) return { record: found, isNew: false }
      const record = this.#make(draft, ledger)
      if (draft.options.dependsOn !== undefined) relate(record, (id) => ledger.parent(id))
      const fresh = [{ record, draft }]
      this.#wantRoom(fresh, ledger)
      this.#admit(fresh, ledger)
      return { record, isNew: true }
    } catch (error) {
      throw handedBack(givenOf(draft), error)
    }
  }

  #enterAll(drafts: readonly Draft[]): Accepted[] {
    const ledger = this.#ledger(givenOf(drafts[0] as Draft))
    const batch = new Batch()
    const fresh: Fresh[] = []
    const accepted = drafts.map((draft) =>
      handingBack(givenOf(draft), () => {
        const found = batch.find(draft) ?? this.#find(draft, ledger)
        const record = found ?? this.#make(draft, ledger)
        batch.add(draft, record)
        if (found === null) fresh.push({ record, draft })
        return { record, isNew: found === null }
      }),
    )
    for (const { record, draft } of fresh) {
      const parent = (id: string) => batch.parent(id) ?? ledger.parent(id)
      handingBack(givenOf(draft), () => relate(record, parent))
    }
    refuseCircles(fresh)
    this.#wantRoom(fresh, ledger)
    this.#admit(fresh, ledger)
    return accepted
  }

  #find({ name, options: { deduplication } }: Draft, ledger: Ledger): TaskRecord | null {
    if (deduplication === undefined) return null
    return ledger.completed.keys.find(name, deduplication.key, this.#runtime.clock.nowMs())
  }

  #make({ id, name, payload, options }: Draft, ledger: Ledger): TaskRecord {
    if (options.id !== undefined && ledger.has(id)) {
      refuse('id', `is in use: the task ${id} has not ended yet`)
    }
    return new TaskRecord(id, name, payload, options, this.#runtime.clock.nowMs())
  }

  #admit(fresh: readonly Fresh[], ledger: Ledger): void {
    const { alerts, config } = this.#runtime
    // Counted in at once: a listener may submit while the ledger is in the middle of an event.
    try {
      ledger.admitAll(fresh.map(({ record }) => record))
    } catch (error) {
      throw handedBack(givenOf((fresh[0] as Fresh).draft), error)
    }
    for (const { record } of fresh) {
      this.#runtime.router.send('client', 'ledger', { type: 'task.submitted', record })
      const { signal } = record.options
      if (signal !== undefined) this.#follow(signal, record)
    }
    this.#growth.look()
    watchQueue(alerts, ledger.counts.pending, config.maxQueue)
  }

  #reportFull(): void {
    const { config, events } = this.#runtime
    events.emit('queue.full', () => ({ maxQueue: config.maxQueue }))
  }

  #wantRoom(fresh: readonly Fresh[], ledger: Ledger): void {
    const { maxQueue } = this.#runtime.config
    const room = maxQueue - ledger.counts.pending
    if (fresh.length <= room) return
    const first = fresh[Math.max(room, 0)] as Fresh
    this.#reportFull()
    throw new TroupeError('QUEUE_FULL', `the queue holds its limit of ${maxQueue} tasks`, {
      task: givenOf(first.draft),
    })
  }

  /** The ledger, if the pool takes tasks now. */
  #ledger(task: Given): Ledger {
    const { ledger } = this.#runtime
    const { value, context, status } = this.#actor.getSnapshot()
    if (status !== 'active' || ledger === null || !isUp(value)) {
      const code: TroupeErrorCode = value === 'stopping' ? 'DRAINING' : 'POOL_CLOSED'
      const cause = context.error === null ? undefined : deserializeError(context.error)
      const message = `the pool takes no tasks: it is ${stateName(value)}`
      throw new TroupeError(code, message, {
        task,
        ...(cause ? { cause } : {}),
      })
    }
    if (isDraining({ value })) {
      const message = 'the pool is draining: come back when it is done'
      throw new TroupeError('DRAINING', message, { task })
    }
    return ledger
  }

  #follow(signal: AbortSignal, record: TaskRecord): void {
    const cancel = () => this.cancel(record, 'requested')
    if (signal.aborted) return cancel()
    signal.addEventListener('abort', cancel, { once: true })
    watchOf(record).ended.push(() => signal.removeEventListener('abort', cancel))
  }
}

/** @throws CONFIG_INVALID when it is no task at all. */
export function requestOf(task: TaskRequest): Request {
  const { name, payload, options, ...rest } = asRecord(task, 'task') as unknown as TaskRequest
  const [unknown] = Object.keys(rest)
  if (unknown === undefined || typeof name !== 'string') return requestFor(name, payload, options)
  return handingBack({ id: '', name, payload }, () =>
    refuse(unknown, 'is not a part of a task: name, payload, options'),
  )
}

/** The same of its parts. @throws CONFIG_INVALID */
export function requestFor(name: string, payload: unknown, options?: TaskOptions): Request {
  if (typeof name !== 'string') {
    handingBack({ id: '', name, payload }, () => refuse('name', 'must be the name of a task', name))
  }
  if (options === undefined) return { name, payload, options: asTheyAre }
  const { id } = (options ?? {}) as { id?: unknown }
  const read = (defaults: NormalTaskOptions) => parseTaskOptions(options, defaults)
  return typeof id === 'string'
    ? { id, name, payload, options: read }
    : { name, payload, options: read }
}

function asTheyAre(defaults: NormalTaskOptions): NormalTaskOptions {
  return parseTaskOptions(undefined, defaults)
}

function refuseCircles(fresh: readonly Fresh[]): void {
  const found = circle(fresh.map(({ record }) => record))
  if (found === null) return
  const { draft } = fresh.find(({ record }) => record === found[0]) as Fresh
  handingBack(givenOf(draft), () =>
    refuse('dependsOn', `goes in a circle: ${pathOf(found.map(({ id }) => id))}`),
  )
}

function pathOf(ids: readonly string[]): string {
  const few = [...ids.slice(0, MAX_IDS_SHOWN), '…', ...ids.slice(-1)]
  return (ids.length > MAX_IDS_SHOWN + 1 ? few : ids).join(' → ')
}
