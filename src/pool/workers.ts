/**
 * The actions of the workers: forks, orders, kills, and what the children report. One entry per
 * living process. It never decides: the worker machines command, and every word of a child becomes
 * an event for them or for the ledger.
 */
import type { Assignment, SerializedError, ExitStatus, SlotId } from '../../machines/protocol.ts'
import type { WorkerEvent } from '../../machines/worker.setup.ts'
import type { ProcessId } from '../../machines/worker-messages.ts'
import type { PoolConfig } from '../config/parse.ts'
import { attemptAll, serializeError } from '../common/errors.ts'
import { keyOf } from '../common/process-key.ts'
import { PoolSessions } from './sessions.ts'
import type { Heard } from '../process/ipc/conversation.ts'
import { WorkerReports } from './worker-reports.ts'
import { isPermanent } from './observe/start-events.ts'
import { RunCare } from './host/run-care.ts'
import type { SlotStats, WorkersPorts } from './workers-ports.ts'
import type { Order, Report, TaskAbort, TaskManifest, TaskOrder } from '../process/ipc/protocol.ts'
import type { WorkerHandle } from '../process/worker-handle.ts'

/** What does not die of a kill is killed again. */
const KILL_EVERY_MS = 1_000

export class PoolWorkers {
  readonly slots = new Map<SlotId, SlotStats>()
  readonly sessions = new PoolSessions()
  processesStarted = 0
  readonly #processes = new Map<string, WorkerHandle>()
  #gone: Array<() => void> = []
  readonly #config: PoolConfig
  readonly #ports: WorkersPorts
  readonly #reports: WorkerReports
  readonly #care: RunCare

  constructor(config: PoolConfig, ports: WorkersPorts) {
    this.#config = config
    this.#ports = ports
    this.#reports = new WorkerReports({
      ...ports,
      sessions: this.sessions,
      process: (id) => this.#processes.get(keyOf(id)),
      factsOf: (slot) => this.factsOf(slot),
      sendWorker: (id, event) => this.#send(id, event),
    })
    this.#care = new RunCare({
      ...ports,
      living: () => this.living(),
      retire: (id) => this.#send(id, { type: 'retire.requested' }),
    })
  }

  /** What the task file declares; null until a first child has loaded it. */
  get manifest(): ReadonlyMap<string, TaskManifest> | null {
    return this.#reports.manifest
  }

  /** The slot's newest living process. */
  newest(slot: SlotId): WorkerHandle | null {
    const mine = [...this.#processes.values()].filter((process) => process.init.slot === slot)
    return mine.at(-1) ?? null
  }

  living(): WorkerHandle[] {
    return [...this.#processes.values()]
  }

  factsOf(slot: SlotId): SlotStats {
    let facts = this.slots.get(slot)
    if (facts === undefined) {
      facts = { processesStarted: 0, tasksExecuted: 0, rssBytes: 0, lastError: null }
      this.slots.set(slot, facts)
    }
    return facts
  }

  fork(id: ProcessId): void {
    const run = this.#care.ready()
    this.#reports.begin(id)
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
        reports: (reports) => this.#receive(id, reports),
        trouble: (message) => this.#warn(id, message),
        unreachable: (error) => this.#ports.failed(id, 'send', error),
        violated: (error) => this.#end(id, error),
        output: (stream, text) => this.#output(id, stream, text),
        exited: (exit, error) => this.#reap(id, exit, error),
      },
    )
    this.#processes.set(keyOf(id), process)
    this.#care.begin()
    this.processesStarted++
    this.factsOf(id.slot).processesStarted++
    if (process.pid !== null) run.guardian.watch(process.pid)
    this.#ports.events.emit('worker.started', () => ({ ...id, pid: process.pid }))
  }

  async openSession(id: ProcessId): Promise<void> {
    try {
      const needsBrowser = [...(this.manifest?.values() ?? [])].some((task) => task.browser)
      // Held at once: whoever chooses next must know of it.
      const session = this.sessions.open(id, this.#ports.chooseSession(id))
      const launch = needsBrowser
        ? await this.#care.ready().prepareLaunch(id.slot, id.incarnation, session)
        : null
      const process = this.#processes.get(keyOf(id))
      if (process === undefined) return this.#releaseProfile(id)
      if (launch !== null) process.profileFolder = launch.profileFolder
      this.#reports.of(id)?.opened(launch)
      process.send({ kind: 'open', launch })
    } catch (error) {
      const facts = serializeError(error, 'WORKER_START_FAILED')
      this.#send(id, { type: 'session.failed', error: facts, permanent: isPermanent(error) })
    }
  }

  runTasks(id: ProcessId, tasks: readonly Assignment[]): void {
    const conversation = this.#reports.of(id)
    if (conversation === undefined) return
    const orders = tasks.map((task) => conversation.ordered(task.order as TaskOrder))
    this.#processes.get(keyOf(id))?.sendNow(orders)
  }

  abort(id: ProcessId, abort: TaskAbort): void {
    const order = this.#reports.of(id)?.aborted(abort)
    if (order !== undefined) this.send(id, order)
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
    this.#sendExited(id, { code: null, signal: null }, null)
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

  #receive(id: ProcessId, reports: readonly Report[]): void {
    let heard: Heard
    try {
      heard = this.#reports.judge(id, reports)
    } catch (error) {
      return this.#end(id, error)
    }
    this.#guarded(id, 'a report', () => this.#reports.accept(id, heard))
  }

  /** It has sent what no worker sends. Whatever else it says, nobody believes it. */
  #end(id: ProcessId, violation: unknown): void {
    const { message } = serializeError(violation)
    const { slot, incarnation } = id
    const error = { code: 'WORKER_LOST', message: `it broke the protocol: ${message}` }
    const text = 'a worker process broke the protocol: it is killed'
    this.#ports.logger.error(text, { worker: slot, incarnation, reason: message })
    this.#send(id, { type: 'worker.kill', cause: 'violated', error })
  }

  #send(
    id: ProcessId,
    event: { [T in WorkerEvent as T['type']]: Omit<T, 'incarnation'> }[WorkerEvent['type']],
  ): void {
    const stamped = { ...event, incarnation: id.incarnation } as WorkerEvent
    this.#ports.router.send('process', id.slot, stamped)
  }

  #reap(id: ProcessId, exit: ExitStatus, error: SerializedError | null): void {
    const process = this.#processes.get(keyOf(id))
    if (process === undefined) return
    this.#guarded(id, 'bury', () => {
      const { guardian } = this.#ports.run()
      if (process.pid !== null) guardian.release(process.pid)
      if (process.browserPid !== null) guardian.release(process.browserPid)
    })
    this.#processes.delete(keyOf(id))
    this.#reports.end(id)
    this.sessions.forget(id)
    if (this.#processes.size === 0) {
      this.#care.end()
      for (const send of this.#gone.splice(0)) send()
    }
    if (error !== null) this.factsOf(id.slot).lastError = error.message
    void this.#releaseProfile(id)
    this.#sendExited(id, exit, error)
  }

  #sendExited(id: ProcessId, exit: ExitStatus, error: SerializedError | null): void {
    const { clock, random } = this.#ports.world
    const how = { exit, error, random: random(), atMs: clock.nowMs() }
    this.#send(id, { type: 'process.exited', ...how })
  }

  /** What comes from a process comes from the event loop: a throw there would end the host. */
  #guarded(id: ProcessId, port: string, action: () => void): void {
    try {
      action()
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
