/**
 * Keeps the ledger and its store in step: what an event changes is committed first, and only then
 * does the world hear of it. So nothing is told that a crash could take back, and no process gets a
 * task whose start is not on record. A store that cannot write stops the words, not the pool: they
 * wait, and it is asked again. It never decides about a task.
 */
import type { TaskEvent } from '../../../machines/task.setup.ts'
import { serializeError } from '../../common/errors.ts'
import { FINAL_STATES, type TaskStateName } from '../task/task-table.ts'
import type { LedgerPorts } from '../ports.ts'
import type { TaskRecord } from '../task/record.ts'
import { type Change, type EndedTask, STORE_RETRY_MS, type TaskStore } from './store.ts'

const UNDER_WAY: ReadonlySet<TaskStateName> = new Set(['assigned', 'running', 'cancelling'])
const KEPT = 'the store keeps the task for the next start of the pool'

export class CommitGate {
  /** The ledger's ports, whose words wait for the commit. */
  readonly ports: LedgerPorts
  readonly #world: LedgerPorts
  /** Asks for a commit, through the door of the ledger's actor. */
  readonly #due: () => void
  #store: TaskStore | null = null
  /** What the world hears after the commit. */
  #held: Array<() => void> = []
  /** How many of them it has heard: one that throws does not take the rest with it. */
  #sent = 0
  /** Tasks that have ended, and nobody was told so yet. */
  readonly #untold = new Set<string>()
  /** Who wants to know that what was accepted is durable. */
  #waiting: Array<() => void> = []
  #isDue = false
  /** Takes back the next try of a store that could not write; null while it can. */
  #retry: (() => void) | null = null

  constructor(world: LedgerPorts, due: () => void) {
    this.#world = world
    this.#due = due
    this.ports = {
      ...world,
      sendWorker: (slot, event) => {
        const send = () => world.sendWorker(slot, event)
        if (event.type === 'worker.kill') this.#order(send)
        else this.#hold(send)
      },
      sendPool: (event) => this.#hold(() => world.sendPool(event)),
      sendShutdown: (event) => this.#hold(() => world.sendShutdown(event)),
      abort: (slot, incarnation, order) => this.#order(() => world.abort(slot, incarnation, order)),
      report: (event, record) => {
        if (event === 'ended') this.#untold.add(record.id)
        this.#hold(() => {
          if (event === 'ended') this.#untold.delete(record.id)
          world.report(event, record)
        })
      },
    }
  }

  get store(): TaskStore | null {
    return this.#store
  }

  open(store: TaskStore): void {
    // The same again: what its last run noted is to be read back, too.
    if (this.#store !== null) this.#write('all')
    this.#store = store
    store.noted = this.#want.bind(this)
    // Who has just started the pool may still want to listen: nothing is told before the next turn.
    this.#want()
  }

  /** @throws PAYLOAD_INVALID, STORE_FULL, STORE_FAILED: then none was accepted. */
  accept(records: readonly TaskRecord[]): void {
    const store = this.#store
    if (store === null) return
    store.accept(records)
    if (store.isAccepting) this.#want()
  }

  /** Calls back once the task is durable, or (false) will not be. */
  whenStored(record: TaskRecord, send: (isStored: boolean) => void): void {
    const store = this.#store
    if (store?.isAccepting === true) this.#waiting.push(() => send(!store.isAccepting))
    else send(record.seq !== 0 || FINAL_STATES.has(record.state))
  }

  find(id: string): EndedTask | null {
    return this.#store?.find(id) ?? null
  }

  /** Its id is in use until then: else its end would be taken for that of the next task of that id. */
  isUntold(id: string): boolean {
    return this.#untold.has(id)
  }

  /** True for an end that is the pool's, not the task's: the store keeps it for the next pool. */
  keeps(record: TaskRecord, from: TaskStateName, event: TaskEvent): boolean {
    if (this.#store === null || this.#store.isGone === true) return false
    // What no worker can ever run has failed for good, whichever pool it is given to.
    if (event.type === 'pool.failed') return event.error.retryable !== false
    const isStopped = record.state === 'cancelled' && record.reason === 'shutdown'
    return isStopped && (record.idempotent || !UNDER_WAY.has(from))
  }

  /** Notes what the step of a task means for the store. */
  note(record: TaskRecord, from: TaskStateName, event: TaskEvent): void {
    const change = this.#changeOf(record, from, event)
    if (change !== null) this.#store?.change(record, change)
  }

  /**
   * Commits what changed, then speaks. To be called when an event has been dealt with. `isTurn`: it
   * was the turn of what was accepted, too; until then that waits to be synced together.
   */
  flush(isTurn: boolean): void {
    if (this.#retry === null) this.#write(isTurn ? 'all' : 'changes')
  }

  /** What was asked for by `due`. */
  commit(): void {
    this.#isDue = false
    this.#write('all')
  }

  #write(what: 'all' | 'changes'): void {
    this.#retry?.()
    const wasTroubled = this.#retry !== null
    this.#retry = null
    try {
      this.#store?.commit(what)
    } catch (error) {
      this.#retry = this.#world.clock.after(STORE_RETRY_MS, this.#due)
      if (!wasTroubled) this.#world.storeTroubled?.(serializeError(error, 'STORE_FAILED'))
      return
    }
    if (wasTroubled) this.#world.storeTroubled?.(null)
    this.#speak()
  }

  /** Writes what it can and lets go of the store. What was held is told in any case. */
  close(): void {
    if (this.#store === null) return
    this.commit()
    this.#retry?.()
    this.#retry = null
    for (const send of this.#waiting.splice(0)) send()
    this.#speak()
    this.#store.close()
    this.#store = null
  }

  #changeOf(record: TaskRecord, from: TaskStateName, event: TaskEvent): Change | null {
    const { state } = record
    const wasUnderWay = UNDER_WAY.has(from)
    if (state === 'assigned') return 'started'
    if (!FINAL_STATES.has(state)) return wasUnderWay && !UNDER_WAY.has(state) ? 'waits' : null
    if (!this.keeps(record, from, event)) return 'ended'
    if (record.error !== null) {
      record.error = { ...record.error, message: `${record.error.message}; ${KEPT}` }
    }
    return wasUnderWay ? 'kept' : null
  }

  #hold(send: () => void): void {
    this.#held.push(send)
  }

  /** To stop something needs no record: it does not wait for a store that cannot write. */
  #order(send: () => void): void {
    if (this.#retry === null) this.#hold(send)
    else send()
  }

  #speak(): void {
    if (this.#store?.isAccepting !== true) for (const send of this.#waiting.splice(0)) send()
    while (this.#sent < this.#held.length) this.#held[this.#sent++]?.()
    this.#held = []
    this.#sent = 0
  }

  #want(): void {
    if (this.#isDue) return
    this.#isDue = true
    this.#world.clock.defer(this.#due)
  }
}
