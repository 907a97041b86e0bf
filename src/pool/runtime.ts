/**
 * Where the machines meet the world: it spawns the actors of a pool, gives each its inbox at the
 * router, and holds what a run needs. It never decides.
 */
import { type ActorRefFrom, type AnyActorRef, assign } from 'xstate'
import { poolMachine, type workerMachine } from '../../machines/index.ts'
import type { WorkersSend } from '../../machines/supervisor-messages.ts'
import type { SerializedError, SlotId } from '../../machines/protocol.ts'
import type { PoolConfig } from '../config/parse.ts'
import { serializeError } from '../common/errors.ts'
import type { DeadLetters } from '../ledger/results/dead-letters.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { LedgerLogic } from '../ledger/ledger-logic.ts'
import type { ResultCache } from '../ledger/results/result-cache.ts'
import type { Clock } from '../common/clock.ts'
import type { Recorder } from '../inspect/recorder.ts'
import { provideActions } from '../common/provide-actions.ts'
import { type Logger, loggerOf } from '../common/logger.ts'
import { PendingWork } from './host/pending-work.ts'
import { PoolAlerts } from './observe/alerts.ts'
import { EventReporter } from './observe/event-reporter.ts'
import { Defects } from './defects.ts'
import { endRun } from './last-resort.ts'
import { ledgerOf } from './ledger.ts'
import { type ActionPorts, shutdownLogic, supervisorLogic, workerLogic } from './machine-actions.ts'
import { alertsTap } from './observe/alerts-tap.ts'
import { eventsTap } from './observe/events-tap.ts'
import { statusTap } from './observe/status-tap.ts'
import type { PoolEventEmitter } from './observe/emitter.ts'
import { serializedDefect } from '../common/port-failure.ts'
import { recorderOf } from './observe/recorder.ts'
import { readingIntervalMs, shutdownPolicy, supervisorPolicy, workerPolicy } from './policy.ts'
import { Router } from './router.ts'
import { lastingSlots, type PoolLogic } from './states.ts'
import { requireActive, type Spawn } from './spawn.ts'
import { PoolWorkers } from './workers.ts'
import { PoolWatch } from './observe/readings.ts'
import { RunLifecycle } from './host/run-lifecycle.ts'
import { DEFAULT_SESSION } from '../task/session-definition.ts'
import { StoreLifecycle } from './store-lifecycle.ts'
import { worldFor } from './host/in-process.ts'
import type { World } from './host/world.ts'
import { TaskTypes } from './host/task-type-registry.ts'

export class PoolRuntime {
  readonly config: PoolConfig
  readonly logger: Logger
  readonly world: World
  readonly types: TaskTypes
  readonly clock: Clock
  readonly router: Router
  readonly pendingWork = new PendingWork()
  readonly events: PoolEventEmitter
  readonly workers: PoolWorkers
  readonly watch: PoolWatch
  /** Null when nothing is recorded. */
  readonly recorder: Recorder | null
  readonly deadLetters: DeadLetters
  readonly resultCache: ResultCache
  readonly alerts: PoolAlerts
  readonly defects: Defects
  readonly reporter: EventReporter
  readonly #lifecycle: RunLifecycle
  readonly store: StoreLifecycle
  readonly actors = new Map<SlotId, ActorRefFrom<typeof workerMachine>>()
  ledger: Ledger | null = null
  startedAtMs = 0
  readonly #actions: ActionPorts
  /** One for all slots: a machine holds nothing of its actors. */
  readonly #workerLogic: typeof workerMachine
  #self: ActorRefFrom<typeof poolMachine> | null = null
  /** Without them there is no pool. */
  #core: readonly AnyActorRef[] = []

  constructor(config: PoolConfig, world: World = worldFor(config)) {
    this.config = config
    this.world = world
    this.clock = world.clock
    this.logger = loggerOf(config)
    this.router = new Router((tap, error) => this.defects.ofTap(tap, error), world.around)
    this.recorder = recorderOf(config, world, this.logger)
    this.store = new StoreLifecycle(this)
    this.deadLetters = this.store.deadLetters
    this.resultCache = this.store.resultCache
    this.reporter = new EventReporter(this.logger)
    this.events = this.reporter.events
    this.alerts = new PoolAlerts(this.events, world.wallMs)
    this.types = new TaskTypes(config.taskTypes)
    this.defects = new Defects({
      logger: this.logger,
      recorder: this.recorder,
      around: world.around,
      router: this.router,
    })
    this.#lifecycle = new RunLifecycle(config, this.logger, async (...options) => {
      if (config.taskTypes.allow.length > 0) await this.types.prepare(this.logger)
      return world.openRun(...options)
    })
    this.workers = new PoolWorkers(config, {
      world,
      logger: this.logger,
      events: this.events,
      run: () => this.#lifecycle.run,
      typesForChild: () => this.types.forChild,
      traceFor: (id) => this.recorder?.pathBeside(`${id.slot}.${id.incarnation}`),
      router: this.router,
      failed: (id, port, error) => this.defects.ofProcess(id, port, error),
      chooseSession: (id) => this.ledger?.dispatch.sessions.choose(id) ?? DEFAULT_SESSION,
    })
    this.watch = new PoolWatch(readingIntervalMs(config), {
      world,
      events: this.events,
      ledger: () => this.ledger as Ledger,
      living: () => this.workers.living(),
      slots: () => this.#self?.getSnapshot().context ?? null,
      folders: () => [this.#lifecycle.run.folder.path, this.#lifecycle.run.artifacts],
      router: this.router,
      alerts: this.alerts,
      logger: this.logger,
    })
    this.router.tap(statusTap(this.workers, this.watch))
    this.router.tap(
      alertsTap({
        alerts: this.alerts,
        limits: config,
        largestOf: (slot) => this.watch.largestOf(slot),
      }),
    )
    this.router.tap(eventsTap(this.reporter))
    this.#actions = {
      router: this.router,
      workers: this.workers,
      sweep: () => this.#sweep(),
      guards: { worker: this.defects.ofWorker, other: this.defects.ofOther },
      unexpected: (self, type) => this.defects.unexpected(self, type),
    }
    this.#workerLogic = world.stepped(workerLogic(this.#actions))
  }

  /** The pool machine with its actions. One logic is for one actor. */
  logic(): PoolLogic {
    const machine: PoolLogic = provideActions(
      poolMachine,
      {
        // Spawning is a change of the machine's context, even where it changes nothing of it.
        'actors.open': assign(({ self, spawn }) => {
          this.#openActors(self as ActorRefFrom<typeof poolMachine>, spawn as unknown as Spawn)
          return {}
        }),
        'run.open': () => this.#open(),
        'run.close': () => this.#close(),
        'run.abort': (_, { error }) => this.#abort(error),
        'workers.send': assign(({ self, spawn }, { slots, event }: WorkersSend) => {
          this.recorder?.note(self, 'workers.send', { slots, event })
          for (const slot of slots) {
            if (!this.actors.has(slot)) this.#spawnWorker(slot, spawn as unknown as Spawn)
            this.router.send('pool', slot, event)
          }
          return {}
        }),
        'ledger.send': (_, event) => this.router.send('pool', 'ledger', event),
        'supervisor.send': (_, event) => this.router.send('pool', 'supervisor', event),
        'shutdown.send': (_, event) => this.router.send('pool', 'shutdown', event),
        'event.unexpected': ({ self, event }) => this.defects.unexpected(self, event.type),
      },
      this.defects.ofPool,
    )
    return this.world.stepped(machine)
  }

  /** The three that every pool has. They live as long as it does. */
  #openActors(self: ActorRefFrom<typeof poolMachine>, spawn: Spawn): void {
    const { config, recorder, router, world } = this
    this.#self = self
    router.register('pool', self)
    const isOver = (error: unknown) => void this.#endRun(serializedDefect('the pool', error))
    self.subscribe({ error: isOver })
    recorder?.attach(self)
    const ledger = spawn(this.#ledgerLogic(), { id: 'ledger' })
    this.ledger = ledger.getSnapshot().context.ledger
    router.register('ledger', ledger)
    const supervisor = spawn(world.stepped(supervisorLogic(this.#actions)), {
      id: 'supervisor',
      input: { policy: supervisorPolicy(config, world.processors) },
    })
    router.register('supervisor', supervisor)
    const shutdown = spawn(world.stepped(shutdownLogic(this.#actions)), {
      id: 'shutdown',
      input: { policy: shutdownPolicy(config) },
    })
    router.register('shutdown', shutdown)
    this.#core = [ledger, supervisor, shutdown]
    this.defects.watch(...this.#core)
    recorder?.name(supervisor, 'supervisor', 'supervisor')
    recorder?.name(shutdown, 'shutdown', 'shutdown')
  }

  /** The actor was stopped, or the host ends: nothing can be awaited, so all goes at once. */
  destroy(): void {
    this.watch.end()
    this.workers.killAll()
    this.#lifecycle.removeSync()
    this.store.forget()
    this.recorder?.close()
  }

  #spawnWorker(slot: SlotId, spawn: Spawn): void {
    const input = { slot, policy: workerPolicy(this.config) }
    const worker = spawn(this.#workerLogic, { id: slot, input })
    this.defects.watch(worker)
    this.recorder?.name(worker, slot, 'worker')
    this.actors.set(slot, worker)
    this.router.register(slot, worker)
  }

  #ledgerLogic(): LedgerLogic {
    return ledgerOf(this, () => lastingSlots(this.#self?.getSnapshot()))
  }

  async #open(): Promise<void> {
    this.startedAtMs = this.clock.nowMs()
    requireActive([...this.#core, ...this.actors.values()])
    try {
      this.store.open()
      if (await this.#lifecycle.open()) this.router.send('host', 'pool', { type: 'run.opened' })
    } catch (error) {
      this.router.send('host', 'pool', {
        type: 'run.failed',
        error: serializeError(error, 'WORKER_START_FAILED'),
      })
    }
  }

  #close(): Promise<void> {
    return this.store.closeAfter(this.#lifecycle.close(() => this.workers.endAll()))
  }

  async #abort(error: SerializedError): Promise<void> {
    await this.#endRun(error)
    this.router.send('host', 'pool', { type: 'run.aborted' })
  }

  #endRun(error: SerializedError): Promise<void> {
    return endRun(this, () => this.#close(), error)
  }

  async #sweep(): Promise<void> {
    await this.#close()
    this.router.send('host', 'shutdown', { type: 'run.swept' })
  }
}
