/**
 * Where the machines meet the world: every command they name is given its deed here, once per pool.
 * It spawns the actors, carries their words to each other, and holds what a run needs. It never
 * decides.
 */
import {
  type ActorRefFrom,
  type AnyActorLogic,
  type AnyActorRef,
  enqueueActions,
  type InputFrom,
} from 'xstate'
import {
  poolMachine,
  shutdownMachine,
  supervisorMachine,
  workerMachine,
} from '../machines/index.ts'
import type { PoolEvent } from '../machines/pool-facts.ts'
import type { WorkersTold } from '../machines/supervisor-words.ts'
import type { SupervisorEvent } from '../machines/supervisor-facts.ts'
import type { ShutdownEvent } from '../machines/shutdown.ts'
import type { ErrorFacts, SlotId } from '../machines/vocabulary.ts'
import type { WorkerEvent } from '../machines/worker-facts.ts'
import type { WorkerToPool } from '../machines/worker-words.ts'
import type { PoolConfig } from './config.ts'
import { toErrorFacts } from './errors.ts'
import type { Ledger } from './ledger/ledger.ts'
import type { LedgerEvent } from './ledger/events.ts'
import { ledgerLogic } from './ledger/ledger-logic.ts'
import type { Clock, LedgerPorts } from './ledger/ports.ts'
import { type Logger, loggerOf } from './logger.ts'
import { PoolBusiness } from './pool-business.ts'
import { createClock } from './pool-clock.ts'
import { PoolAnnouncer } from './pool-announcer.ts'
import type { PoolNews } from './pool-events.ts'
import { shutdownPolicy, supervisorPolicy, workerPolicy } from './pool-policy.ts'
import { PoolWorkers } from './pool-workers.ts'
import { PoolWatch } from './pool-watch.ts'
import { RunKeeper } from './pool-run-keeper.ts'
import { LADDER_LIMIT_MS } from './worker/protocol.ts'

export type PoolLogic = typeof poolMachine
export type PoolMachineActor = ActorRefFrom<PoolLogic>

export class PoolRuntime {
  readonly config: PoolConfig
  readonly logger: Logger
  readonly clock: Clock = createClock()
  readonly business = new PoolBusiness()
  readonly news: PoolNews
  readonly workers: PoolWorkers
  readonly watch: PoolWatch
  readonly #announcer: PoolAnnouncer
  readonly #keeper: RunKeeper
  readonly actors = new Map<SlotId, ActorRefFrom<typeof workerMachine>>()
  ledger: Ledger | null = null
  startedAtMs = 0
  #self: ActorRefFrom<typeof poolMachine> | null = null
  #ledgerRef: ActorRefFrom<ReturnType<typeof ledgerLogic>> | null = null
  #supervisor: ActorRefFrom<typeof supervisorMachine> | null = null
  #shutdown: ActorRefFrom<typeof shutdownMachine> | null = null

  constructor(config: PoolConfig) {
    this.config = config
    this.logger = loggerOf(config)
    this.#announcer = new PoolAnnouncer(this.logger)
    this.news = this.#announcer.news
    this.#keeper = new RunKeeper(config, this.logger)
    this.workers = new PoolWorkers(config, {
      clock: this.clock,
      logger: this.logger,
      news: this.news,
      run: () => this.#keeper.run,
      tellWorker: (slot, event) => this.actors.get(slot)?.send(event),
      tellLedger: (event) => this.tellLedger(event),
    })
    this.watch = new PoolWatch(config.heartbeatInterval, {
      clock: this.clock,
      news: this.news,
      ledger: () => this.ledger as Ledger,
      living: () => this.workers.living(),
      readySlots: () => this.#self?.getSnapshot().context.ready.length ?? 0,
      tellReading: (reading) => this.#supervisor?.send({ type: 'reading.taken', reading }),
      problem: (error) => this.logger.debug('a reading failed', { error }),
    })
  }

  /** The pool machine with its deeds. One logic is for one actor. */
  logic(): PoolLogic {
    return poolMachine.provide({
      actions: {
        'actors.open': enqueueActions(({ enqueue, self }) => {
          this.#self = self as ActorRefFrom<typeof poolMachine>
          enqueue.assign(({ spawn: plainSpawn }) => {
            const spawn = plainSpawn as unknown as Spawn
            this.#ledgerRef = spawn(this.#ledgerLogic(), { id: 'ledger' })
            this.ledger = this.#ledgerRef.getSnapshot().context.ledger
            this.#supervisor = spawn(this.#supervisorLogic(), {
              id: 'supervisor',
              input: { policy: supervisorPolicy(this.config) },
            })
            this.#shutdown = spawn(this.#shutdownLogic(), {
              id: 'shutdown',
              input: { policy: shutdownPolicy(this.config) },
            })
            return {}
          })
        }),
        'run.open': () => void this.#open(),
        'run.close': () => void this.#close(),
        'workers.tell': enqueueActions(({ enqueue }, { slots, event }: WorkersTold) => {
          for (const slot of slots) {
            if (!this.actors.has(slot))
              enqueue.assign(({ spawn }) => this.#spawnWorker(slot, spawn))
            enqueue(() => this.actors.get(slot)?.send(event))
          }
        }),
        'ledger.tell': (_, event) => this.tellLedger(event),
        'supervisor.tell': (_, event) => this.#tellSupervisor(event),
        'shutdown.tell': (_, event) => this.#shutdown?.send(event),
        'event.unexpected': ({ self, event }) => this.#unexpected(self, event.type),
      },
    })
  }

  tellPool(event: PoolEvent): void {
    this.#self?.send(event)
  }

  tellLedger(event: LedgerEvent): void {
    this.#ledgerRef?.send(event)
  }

  #tellSupervisor(event: SupervisorEvent): void {
    if (event.type === 'pool.opened') this.watch.begin()
    if (event.type === 'pool.closed') this.watch.end()
    this.#supervisor?.send(event)
  }

  /**
   * The actor was stopped, or the host ends: nothing can be awaited, so everything goes at once.
   */
  destroy(): void {
    this.watch.end()
    this.workers.killAll()
    this.#keeper.removeSync()
  }

  #spawnWorker(slot: SlotId, spawn: unknown): Record<never, never> {
    const input = { slot, policy: workerPolicy(this.config) }
    this.actors.set(slot, (spawn as Spawn)(this.#workerLogic(), { id: slot, input }))
    return {}
  }

  #workerLogic() {
    const { workers } = this
    return workerMachine.provide({
      actions: {
        'process.fork': (_, id) => workers.fork(id),
        'session.open': (_, id) => void workers.openSession(id),
        'process.run': (_, { tasks, ...id }) => workers.runTasks(id, tasks),
        'process.close': (_, id) => workers.send(id, { kind: 'close' }),
        'process.terminate': (_, id) => workers.terminate(id),
        'process.kill': (_, id) => workers.kill(id),
        'ledger.tell': (_, event) => {
          this.tellLedger(event)
          if (event.type === 'worker.exited') this.#announcer.tellWorkerExited(event)
        },
        'pool.tell': (_, event) => this.#tellPoolOfWorker(event),
        'supervisor.tell': (_, event) => this.#tellSupervisor(event),
        'event.unexpected': ({ self, event }) => this.#unexpected(self, event.type),
      },
    })
  }

  #supervisorLogic() {
    return supervisorMachine.provide({
      actions: {
        'workers.tell': (_, { slots, event }) => {
          for (const slot of slots) this.#tellWorker(slot, event)
        },
        'processes.kill': (_, { processes, cause }) => {
          for (const { slot, incarnation } of processes) {
            this.#tellWorker(slot, { type: 'worker.kill', incarnation, cause })
          }
        },
        'ledger.tell': (_, event) => this.tellLedger(event),
        'pool.tell': (_, event) => {
          this.tellPool(event)
          this.watch.note(event)
        },
        'event.unexpected': ({ self, event }) => this.#unexpected(self, event.type),
      },
    })
  }

  #shutdownLogic() {
    return shutdownMachine.provide({
      actions: {
        'ledger.tell': (_, event) => this.tellLedger(event),
        'pool.tell': (_, event) => this.tellPool(event),
        'run.sweep': () => void this.#sweep(),
        'event.unexpected': ({ self, event }) => this.#unexpected(self, event.type),
      },
    })
  }

  #ledgerLogic() {
    const ports: LedgerPorts = {
      clock: this.clock,
      random: Math.random,
      tellWorker: (slot, event) => this.#tellWorker(slot, event),
      tellPool: (event) => this.tellPool(event),
      tellShutdown: (event: ShutdownEvent) => this.#shutdown?.send(event),
      abort: (slot, incarnation, order) =>
        this.workers.send({ slot, incarnation }, { kind: 'abort', ...order }),
      killAfterMs: (name) =>
        this.config.cancelGrace + (this.workers.manifest?.get(name)?.browser ? LADDER_LIMIT_MS : 0),
      announce: (news, record) => this.#announcer.tellTask(news, record),
      unexpected: (state, type) =>
        this.logger.error('UNEXPECTED_EVENT', { actor: 'task', state, event: type }),
      occupied: (isOccupied) => this.business.occupy(isOccupied),
      halted: () => this.destroy(),
    }
    return ledgerLogic(
      {
        seatsPerWorker: this.config.concurrentTasksPerWorker,
        cancelGraceMs: this.config.cancelGrace,
      },
      ports,
    )
  }

  #tellWorker(slot: SlotId, event: WorkerEvent): void {
    this.actors.get(slot)?.send(event)
  }

  #tellPoolOfWorker(event: WorkerToPool): void {
    this.tellPool(event)
    if (event.type !== 'worker.failed') return
    this.workers.factsOf(event.slot).lastError = event.error.message
    this.#announcer.tellWorkerFailed(event.slot, event.error)
  }

  async #open(): Promise<void> {
    this.startedAtMs = this.clock.nowMs()
    try {
      if (await this.#keeper.open()) this.tellPool({ type: 'run.opened' })
    } catch (error) {
      this.tellPool({ type: 'run.failed', error: toErrorFacts(error, 'WORKER_START_FAILED') })
    }
  }

  #close(): Promise<void> {
    return this.#keeper.close(() => this.workers.allGone())
  }

  async #sweep(): Promise<void> {
    await this.#close()
    this.#shutdown?.send({ type: 'run.swept' })
  }

  #unexpected(self: AnyActorRef, event: string): void {
    const { value } = self.getSnapshot() as { value: unknown }
    const facts: ErrorFacts = {
      code: 'UNEXPECTED_EVENT',
      message: `${self.id} got ${event} in ${JSON.stringify(value)}`,
    }
    this.logger.error(facts.message, { code: facts.code })
  }
}

/**
 * XState's spawn, for logic that the machine's setup does not know: the deeds are given here, not
 * in the machine.
 */
type Spawn = <L extends AnyActorLogic>(
  logic: L,
  options: { id: string; input?: InputFrom<L> },
) => ActorRefFrom<L>
