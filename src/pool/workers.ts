/**
 * The deeds of the workers: forks, orders, kills, and what the children report. One entry per
 * living process. It never decides: the worker machines command, and every word of a child becomes
 * an event for them or for the ledger.
 */
import type { Assignment, ErrorFacts, ExitStatus, SlotId } from '../../machines/vocabulary.ts'
import type { WorkerEvent } from '../../machines/worker-facts.ts'
import type { ProcessId } from '../../machines/worker-words.ts'
import type { PoolConfig } from '../config.ts'
import { attemptAll, toErrorFacts } from '../errors.ts'
import type { AttemptReport, LedgerEvent } from '../ledger/events.ts'
import type { Logger } from '../logger.ts'
import type { PoolNews } from './events.ts'
import { PoolSessions } from './sessions.ts'
import { isPermanent, knownOf } from './start-news.ts'
import type { Run, World } from './world.ts'
import type { ChildTaskTypes } from '../worker/child-types.ts'
import { isAttemptReport } from '../worker/frame.ts'
import type { Order, Report, RunOrder, TaskManifest } from '../worker/protocol.ts'
import type { WorkerHandle } from '../worker/worker-handle.ts'

/** What does not die of a kill is killed again. */
const KILL_EVERY_MS = 1_000

export interface WorkersPorts {
  readonly world: World
  readonly logger: Logger
  readonly news: PoolNews
  run(): Run
  typesForChild(): ChildTaskTypes
  tellWorker(slot: SlotId, event: WorkerEvent): void
  tellLedger(event: LedgerEvent): void
  /** Where the session's steps are recorded, if anywhere. */
  traceFor(id: ProcessId): string | undefined
  /** Something that has to do with this process threw. */
  failed(id: ProcessId, port: string, error: unknown): void
  /** Which session the process shall open. */
  chooseSession(id: ProcessId): string
}

/** What is known of a slot beyond its machine. */
export interface SlotFacts {
  processesStarted: number
  tasksExecuted: number
  rssBytes: number
  lastError: string | null
}

export class PoolWorkers {
  readonly slots = new Map<SlotId, SlotFacts>()
  /** What the task file declares; null until a first child has loaded it. */
  manifest: ReadonlyMap<string, TaskManifest> | null = null
  readonly sessions = new PoolSessions()
  processesStarted = 0
  readonly #processes = new Map<string, WorkerHandle>()
  #gone: Array<() => void> = []
  readonly #config: PoolConfig
  readonly #ports: WorkersPorts

  constructor(config: PoolConfig, ports: WorkersPorts) {
    this.#config = config
    this.#ports = ports
  }

  /** The slot's newest living process. */
  newest(slot: SlotId): WorkerHandle | null {
    const mine = [...this.#processes.values()].filter((process) => process.birth.slot === slot)
    return mine.at(-1) ?? null
  }

  living(): WorkerHandle[] {
    return [...this.#processes.values()]
  }

  factsOf(slot: SlotId): SlotFacts {
    let facts = this.slots.get(slot)
    if (facts === undefined) {
      facts = { processesStarted: 0, tasksExecuted: 0, rssBytes: 0, lastError: null }
      this.slots.set(slot, facts)
    }
    return facts
  }

  /** The ledger has taken so many ends from a process of that slot: a word said twice counts once. */
  countEnded(slot: SlotId, count: number): void {
    this.factsOf(slot).tasksExecuted += count
  }

  fork(id: ProcessId): void {
    const run = this.#ports.run()
    const { workerScript } = this.#config
    const trace = this.#ports.traceFor(id)
    const process = this.#ports.world.fork(
      {
        slot: id.slot,
        incarnation: id.incarnation,
        tasks: this.#config.tasks,
        runFolder: run.folder.path,
        compileCache: run.compileCache,
        artifactFolder: run.artifacts,
        diskFloorBytes: this.#config.diskFloor,
        heartbeatMs: this.#config.heartbeatInterval,
        concurrency: this.#config.concurrentTasksPerWorker,
        taskTypes: this.#ports.typesForChild(),
        ...(workerScript === null ? {} : { workerScript }),
        ...(trace === undefined ? {} : { trace }),
      },
      {
        reports: (reports) => this.#guarded(id, 'reports', () => this.#receive(id, reports)),
        garbage: (message) => this.#warn(id, message),
        unreachable: (error) => this.#ports.failed(id, 'send', error),
        output: (stream, text) => this.#output(id, stream, text),
        exited: (exit, error) => this.#bury(id, exit, error),
      },
    )
    this.#processes.set(keyOf(id), process)
    this.processesStarted++
    this.factsOf(id.slot).processesStarted++
    if (process.pid !== null) run.guardian.watch(process.pid)
    this.#ports.news.tell('worker.started', () => ({ ...id, pid: process.pid }))
  }

  async openSession(id: ProcessId): Promise<void> {
    try {
      const needsBrowser = [...(this.manifest?.values() ?? [])].some((task) => task.browser)
      // Held at once: whoever chooses next must know of it.
      const session = this.sessions.open(id, this.#ports.chooseSession(id))
      const launch = needsBrowser
        ? await this.#ports.run().prepareLaunch(id.slot, id.incarnation, session)
        : null
      const process = this.#processes.get(keyOf(id))
      if (process === undefined) return this.#releaseProfile(id)
      if (launch !== null) process.profileFolder = launch.profileFolder
      process.send({ kind: 'open', launch })
    } catch (error) {
      const facts = toErrorFacts(error, 'WORKER_START_FAILED')
      this.#tell(id, { type: 'session.failed', error: facts, permanent: isPermanent(error) })
    }
  }

  runTasks(id: ProcessId, tasks: readonly Assignment[]): void {
    this.#processes.get(keyOf(id))?.sendNow(tasks.map((task) => task.order as RunOrder))
  }

  send(id: ProcessId, order: Order): void {
    this.#processes.get(keyOf(id))?.send(order)
  }

  terminate(id: ProcessId): void {
    this.#processes.get(keyOf(id))?.terminate()
  }

  kill(id: ProcessId): void {
    const process = this.#processes.get(keyOf(id))
    if (process !== undefined) return process.kill()
    // Its fork has failed, so that nobody will ever tell of its exit.
    this.#tellExited(id, { code: null, signal: null }, null)
  }

  async cleanProfiles(): Promise<readonly string[]> {
    // Before the first process there is no run.
    return this.processesStarted === 0 ? [] : this.#ports.run().profiles.clean()
  }

  /**
   * Kills every process, whoever it belongs to, until none is left. Resolves then, or after
   * `limitMs`.
   */
  async endAll(limitMs = Number.POSITIVE_INFINITY): Promise<void> {
    const { clock } = this.#ports.world
    const untilMs = clock.nowMs() + limitMs
    while (this.#processes.size > 0 && clock.nowMs() < untilMs) {
      this.killAll()
      const { promise, resolve } = Promise.withResolvers<void>()
      const cancel = clock.after(KILL_EVERY_MS, resolve)
      this.#gone.push(resolve)
      await promise
      cancel()
    }
  }

  killAll(): void {
    const kills = this.living().map((process) => () => process.kill())
    for (const error of attemptAll(kills)) {
      this.#ports.logger.error('a process could not be killed', { error })
    }
  }

  #tell(
    id: ProcessId,
    event: { [T in WorkerEvent as T['type']]: Omit<T, 'incarnation'> }[WorkerEvent['type']],
  ): void {
    this.#ports.tellWorker(id.slot, { ...event, incarnation: id.incarnation } as WorkerEvent)
  }

  #receive(id: ProcessId, reports: readonly Report[]): void {
    const attempts: AttemptReport[] = []
    for (const report of reports) {
      if (isAttemptReport(report)) attempts.push(report)
      else this.#hear(id, report)
    }
    if (attempts.length === 0) return
    this.#ports.tellLedger({ type: 'attempts.reported', ...id, reports: attempts })
  }

  #hear(id: ProcessId, report: Exclude<Report, AttemptReport>): void {
    const process = this.#processes.get(keyOf(id))
    switch (report.kind) {
      case 'loaded':
        this.manifest = new Map(report.tasks.map((task) => [task.name, task]))
        this.sessions.learn(report.sessions)
        this.#ports.tellLedger({ type: 'tasks.known', known: knownOf(report) })
        return this.#tell(id, { type: 'process.loaded' })
      case 'sessionLaunched':
        return this.#tell(id, { type: 'session.launched' })
      case 'sessionReady':
        return this.#sessionReady(id, process, report.browserPid)
      case 'sessionFailed':
        this.factsOf(id.slot).lastError = report.error.message
        return this.#tell(id, {
          type: 'session.failed',
          error: report.error,
          permanent: report.permanent,
        })
      case 'browserLost':
        this.#ports.run().guardian.release(report.browserPid)
        if (process?.browserPid === report.browserPid) process.browserPid = null
        return this.#warn(id, 'the browser is gone; it is launched again', { ...report })
      case 'log':
        this.#ports.logger[report.level](report.message, { worker: id.slot, ...report.fields })
        return this.#ports.news.tell('worker.log', () => ({ slot: id.slot, ...report }))
      case 'login':
        return this.sessions.noteLogin(id)
      case 'retire':
        return this.#tell(id, { type: 'retire.requested' })
      case 'heartbeat':
        this.factsOf(id.slot).rssBytes = report.rssBytes
    }
  }

  #sessionReady(id: ProcessId, process: WorkerHandle | undefined, browserPid: number | null) {
    if (process === undefined) return
    process.browserPid = browserPid
    if (browserPid !== null) this.#ports.run().guardian.watch(browserPid)
    this.#tell(id, { type: 'session.ready' })
    const pid = process.pid ?? 0
    this.#ports.news.tell('worker.ready', () => ({ ...id, pid }))
    this.#ports.logger.debug('worker ready', { worker: id.slot, pid, browserPid })
  }

  #bury(id: ProcessId, exit: ExitStatus, error: ErrorFacts | null): void {
    const process = this.#processes.get(keyOf(id))
    if (process === undefined) return
    this.#guarded(id, 'bury', () => {
      const { guardian } = this.#ports.run()
      if (process.pid !== null) guardian.release(process.pid)
      if (process.browserPid !== null) guardian.release(process.browserPid)
    })
    this.#processes.delete(keyOf(id))
    this.sessions.forget(id)
    if (this.#processes.size === 0) for (const tell of this.#gone.splice(0)) tell()
    if (error !== null) this.factsOf(id.slot).lastError = error.message
    void this.#releaseProfile(id)
    this.#tellExited(id, exit, error)
  }

  #tellExited(id: ProcessId, exit: ExitStatus, error: ErrorFacts | null): void {
    const { clock, random } = this.#ports.world
    const how = { exit, error, random: random(), atMs: clock.nowMs() }
    this.#tell(id, { type: 'process.exited', ...how })
  }

  /** What comes from a process comes from the event loop: a throw there would end the host. */
  #guarded(id: ProcessId, port: string, deed: () => void): void {
    try {
      deed()
    } catch (error) {
      this.#ports.failed(id, port, error)
    }
  }

  async #releaseProfile(id: ProcessId): Promise<void> {
    try {
      const run = this.#ports.run()
      await run.profiles.release(run.profileFolder(id.slot, id.incarnation))
    } catch (error) {
      this.#warn(id, 'a profile could not be deleted yet', { error })
    }
  }

  #output(id: ProcessId, stream: 'stdout' | 'stderr', text: string): void {
    this.#ports.logger.debug(text.trimEnd(), { worker: id.slot, stream })
  }

  #warn(id: ProcessId, message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#ports.logger.warn(message, { worker: id.slot, incarnation: id.incarnation, ...fields })
  }
}

const keyOf = ({ slot, incarnation }: ProcessId): string => `${slot}#${incarnation}`
