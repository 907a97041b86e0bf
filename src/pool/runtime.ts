/**
 * Where the machines meet the world: every command they name is given its deed here, once per pool.
 * It spawns the actors, carries their words, and holds what a run needs. It never decides.
 */
import { type ActorRefFrom, assign } from 'xstate'
import {
  poolMachine,
  shutdownMachine,
  supervisorMachine,
  workerMachine,
} from '../../machines/index.ts'
import type { PoolEvent } from '../../machines/pool-facts.ts'
import type { WorkersTold } from '../../machines/supervisor-words.ts'
import type { SupervisorEvent } from '../../machines/supervisor-facts.ts'
import type { ErrorFacts, SlotId } from '../../machines/vocabulary.ts'
import type { WorkerEvent } from '../../machines/worker-facts.ts'
import type { WorkerToPool } from '../../machines/worker-words.ts'
import type { PoolConfig } from '../config.ts'
import { toErrorFacts } from '../errors.ts'
import type { DeadLetters } from '../ledger/dead-letters.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { LedgerEvent } from '../ledger/events.ts'
import type { LedgerLogic } from '../ledger/ledger-logic.ts'
import type { ResultCache } from '../ledger/result-cache.ts'
import type { Clock } from '../ledger/ports.ts'
import type { Recorder } from '../inspect/recorder.ts'
import { withDeeds } from './machine-deeds.ts'
import { type Logger, loggerOf } from '../logger.ts'
import { PoolBusiness } from './business.ts'
import { watchDispatch, watchExit, watchMachine, watchSize, watchWorker } from './alarms.ts'
import { PoolAlerts } from './alerts.ts'
import { PoolAnnouncer } from './announcer.ts'
import { Defects } from './defects.ts'
import { shutdownLogic, supervisorLogic, type Voices, workerLogic } from './deeds.ts'
import { endRun } from './last-resort.ts'
import { ledgerOf } from './ledger.ts'
import type { PoolNews } from './events.ts'
import { defectFacts } from './port-failure.ts'
import { recorderOf } from './recorder.ts'
import { readingIntervalMs, shutdownPolicy, supervisorPolicy, workerPolicy } from './policy.ts'
import { lastingSlots } from './states.ts'
import { requireActive, type Spawn } from './spawn.ts'
import { PoolWorkers } from './workers.ts'
import { PoolWatch } from './watch.ts'
import { RunKeeper } from './run-keeper.ts'
import { DEFAULT_SESSION } from '../task/session-definition.ts'
import { StoreKeeper } from './store.ts'
import { worldFor } from './in-process.ts'
import type { World } from './world.ts'
import { TaskTypes } from '../task-types/registry.ts'

export type PoolLogic = typeof poolMachine
export type PoolMachineActor = ActorRefFrom<PoolLogic>

export class PoolRuntime {
  readonly config: PoolConfig
  readonly logger: Logger
  readonly world: World
  readonly types: TaskTypes
  readonly clock: Clock
  readonly business = new PoolBusiness()
  readonly news: PoolNews
  readonly workers: PoolWorkers
  readonly watch: PoolWatch
  /** Null when nothing is recorded. */
  readonly recorder: Recorder | null
  readonly deadLetters: DeadLetters
  readonly resultCache: ResultCache
  readonly alerts: PoolAlerts
  readonly defects: Defects
  readonly announcer: PoolAnnouncer
  readonly #keeper: RunKeeper
  readonly store: StoreKeeper
  readonly actors = new Map<SlotId, ActorRefFrom<typeof workerMachine>>()
  ledger: Ledger | null = null
  startedAtMs = 0
  readonly #voices: Voices
  /** One for all slots: a machine holds nothing of its actors. */
  readonly #workerLogic: typeof workerMachine
  #self: ActorRefFrom<typeof poolMachine> | null = null
  #ledgerRef: ActorRefFrom<LedgerLogic> | null = null
  #supervisor: ActorRefFrom<typeof supervisorMachine> | null = null
  #shutdown: ActorRefFrom<typeof shutdownMachine> | null = null

  constructor(config: PoolConfig, world: World = worldFor(config)) {
    this.config = config
    this.world = world
    this.clock = world.clock
    this.logger = loggerOf(config)
    this.recorder = recorderOf(config, world, this.logger)
    this.store = new StoreKeeper(this)
    this.deadLetters = this.store.deadLetters
    this.resultCache = this.store.resultCache
    this.announcer = new PoolAnnouncer(this.logger)
    this.news = this.announcer.news
    this.alerts = new PoolAlerts(this.news, world.wallMs)
    this.types = new TaskTypes(config.taskTypes)
    this.defects = new Defects({
      logger: this.logger,
      recorder: this.recorder,
      around: world.around,
      tellPool: (event) => this.tellPool(event),
      tellWorker: (slot, event) => this.#tellWorker(slot, event),
    })
    this.#keeper = new RunKeeper(config, this.logger, async (...options) => {
      if (config.taskTypes.allow.length > 0) await this.types.prepare(this.logger)
      return world.openRun(...options)
    })
    this.workers = new PoolWorkers(config, {
      world,
      logger: this.logger,
      news: this.news,
      run: () => this.#keeper.run,
      typesForChild: () => this.types.forChild,
      traceFor: (id) => this.recorder?.pathBeside(`${id.slot}.${id.incarnation}`),
      tellWorker: (slot, event) => this.#tellWorker(slot, event),
      failed: (id, port, error) => this.defects.ofProcess(id, port, error),
      tellLedger: (event) => this.tellLedger(event),
      chooseSession: (id) => this.ledger?.dispatch.sessions.choose(id) ?? DEFAULT_SESSION,
    })
    this.watch = new PoolWatch(readingIntervalMs(config), {
      world,
      news: this.news,
      ledger: () => this.ledger as Ledger,
      living: () => this.workers.living(),
      readySlots: () => this.#self?.getSnapshot().context.ready.length ?? 0,
      folders: () => [this.#keeper.run.folder.path, this.#keeper.run.artifacts],
      tellReading: (reading) => this.#supervisor?.send({ type: 'reading.taken', reading }),
      alerts: this.alerts,
      logger: this.logger,
    })
    this.#voices = this.#makeVoices()
    this.#workerLogic = world.stepped(workerLogic(this.#voices))
  }

  #makeVoices(): Voices {
    return {
      workers: this.workers,
      tellPool: (event) => this.tellPool(event),
      tellLedger: (event) => this.tellLedger(event),
      tellSupervisor: (event) => this.#tellSupervisor(event),
      tellWorker: (slot, event) => this.#tellWorker(slot, event),
      workerToldPool: (event) => this.#workerToldPool(event),
      workerToldLedger: (event) => {
        this.tellLedger(event)
        watchExit(this.alerts, event)
        if (event.type === 'worker.exited') this.announcer.tellWorkerExited(event)
      },
      supervisorToldPool: (event) => {
        this.tellPool(event)
        this.watch.note(event)
        watchMachine(this.alerts, event)
      },
      supervisorToldLedger: (event) => {
        this.tellLedger(event)
        watchDispatch(this.alerts, event)
      },
      silent: (id) => this.announcer.tellSilent(id),
      heavy: (slot) => watchSize(this.alerts, this.config, slot, this.watch.largestOf(slot)),
      sweep: () => this.#sweep(),
      guards: { worker: this.defects.ofWorker, other: this.defects.ofOther },
      unexpected: (self, type) => this.defects.unexpected(self, type),
    }
  }

  /** The pool machine with its deeds. One logic is for one actor. */
  logic(): PoolLogic {
    const machine: PoolLogic = withDeeds(
      poolMachine,
      {
        // Spawning is a change of the machine's context, even where it changes nothing of it.
        'actors.open': assign(({ self, spawn: plainSpawn }) => {
          const spawn = plainSpawn as unknown as Spawn
          this.#self = self as ActorRefFrom<typeof poolMachine>
          const isOver = (error: unknown) => void this.#endRun(defectFacts('the pool', error))
          self.subscribe({ error: isOver })
          this.recorder?.attach(self)
          this.#ledgerRef = spawn(this.#ledgerLogic(), { id: 'ledger' })
          this.ledger = this.#ledgerRef.getSnapshot().context.ledger
          this.#supervisor = spawn(this.world.stepped(supervisorLogic(this.#voices)), {
            id: 'supervisor',
            input: { policy: supervisorPolicy(this.config, this.world.processors) },
          })
          this.#shutdown = spawn(this.world.stepped(shutdownLogic(this.#voices)), {
            id: 'shutdown',
            input: { policy: shutdownPolicy(this.config) },
          })
          for (const actor of [this.#ledgerRef, this.#supervisor, this.#shutdown]) {
            this.defects.watch(actor)
          }
          this.recorder?.name(this.#supervisor, 'supervisor', 'supervisor')
          this.recorder?.name(this.#shutdown, 'shutdown', 'shutdown')
          return {}
        }),
        'run.open': () => this.#open(),
        'run.close': () => this.#close(),
        'run.abort': (_, { error }) => this.#abort(error),
        'workers.tell': assign(({ self, spawn }, { slots, event }: WorkersTold) => {
          this.recorder?.note(self, 'workers.tell', { slots, event })
          for (const slot of slots) {
            if (!this.actors.has(slot)) this.#spawnWorker(slot, spawn as unknown as Spawn)
            this.actors.get(slot)?.send(event)
          }
          return {}
        }),
        'ledger.tell': (_, event) => {
          this.tellLedger(event)
          watchDispatch(this.alerts, event)
        },
        'supervisor.tell': (_, event) => this.#tellSupervisor(event),
        'shutdown.tell': (_, event) => this.#shutdown?.send(event),
        'event.unexpected': ({ self, event }) => this.defects.unexpected(self, event.type),
      },
      this.defects.ofPool,
    )
    return this.world.stepped(machine)
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

  /** The actor was stopped, or the host ends: nothing can be awaited, so all goes at once. */
  destroy(): void {
    this.watch.end()
    this.workers.killAll()
    this.#keeper.removeSync()
    this.store.forget()
    this.recorder?.close()
  }

  #spawnWorker(slot: SlotId, spawn: Spawn): void {
    const input = { slot, policy: workerPolicy(this.config) }
    const worker = spawn(this.#workerLogic, { id: slot, input })
    this.defects.watch(worker)
    this.recorder?.name(worker, slot, 'worker')
    this.actors.set(slot, worker)
  }

  #ledgerLogic(): LedgerLogic {
    return ledgerOf(this, {
      announcer: this.announcer,
      slots: () => lastingSlots(this.#self?.getSnapshot()),
      tellWorker: (slot, event) => this.#tellWorker(slot, event),
      tellShutdown: (event) => this.#shutdown?.send(event),
    })
  }

  #tellWorker(slot: SlotId, event: WorkerEvent): void {
    this.actors.get(slot)?.send(event)
  }

  #workerToldPool(event: WorkerToPool): void {
    this.tellPool(event)
    watchWorker(this.alerts, event)
    if (event.type !== 'worker.failed') return
    this.tellLedger({ type: 'slots.changed' })
    this.workers.factsOf(event.slot).lastError = event.error.message
    this.announcer.tellWorkerFailed(event.slot, event.error)
  }

  async #open(): Promise<void> {
    this.startedAtMs = this.clock.nowMs()
    requireActive([this.#ledgerRef, this.#supervisor, this.#shutdown, ...this.actors.values()])
    try {
      this.store.open()
      if (await this.#keeper.open()) this.tellPool({ type: 'run.opened' })
    } catch (error) {
      this.tellPool({ type: 'run.failed', error: toErrorFacts(error, 'WORKER_START_FAILED') })
    }
  }

  #close(): Promise<void> {
    return this.store.closeAfter(this.#keeper.close(() => this.workers.endAll()))
  }

  async #abort(error: ErrorFacts): Promise<void> {
    await this.#endRun(error)
    this.tellPool({ type: 'run.aborted' })
  }

  #endRun(error: ErrorFacts): Promise<void> {
    return endRun(this, [this.#supervisor, this.#shutdown], () => this.#close(), error)
  }

  async #sweep(): Promise<void> {
    await this.#close()
    this.#shutdown?.send({ type: 'run.swept' })
  }
}
