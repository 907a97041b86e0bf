/**
 * What the children say, and what becomes of it: news of attempts goes to the ledger, everything else
 * is an event for the worker's machine, a line in the log, or a figure. Only what is its sender's to say
 * gets so far. It never decides what follows.
 */
import type { SlotId } from '../../machines/protocol.ts'
import type { WorkerEvent } from '../../machines/worker.setup.ts'
import type { ProcessId } from '../../machines/worker-messages.ts'
import type { Logger } from '../common/logger.ts'
import { Conversation, type Heard, type OtherReport } from '../process/ipc/conversation.ts'
import type { Report, TaskManifest } from '../process/ipc/protocol.ts'
import type { WorkerHandle } from '../process/worker-handle.ts'
import type { PoolEventEmitter } from './observe/emitter.ts'
import { keyOf } from '../common/process-key.ts'
import { knownOf } from './observe/start-events.ts'
import type { Router } from './router.ts'
import type { PoolSessions } from './sessions.ts'
import type { Run, World } from './host/world.ts'

type Log = Extract<Report, { kind: 'log' }>
/** An event of a worker, before it is stamped. */
type Unstamped = { [T in WorkerEvent as T['type']]: Omit<T, 'incarnation'> }[WorkerEvent['type']]

/** What is heard of a process that is gone. */
const NOTHING: Heard = { attempts: [], others: [] }

interface ReportPorts {
  readonly world: Pick<World, 'newToken'>
  readonly logger: Logger
  readonly events: PoolEventEmitter
  readonly sessions: PoolSessions
  run(): Run
  process(id: ProcessId): WorkerHandle | undefined
  factsOf(slot: SlotId): { rssBytes: number; lastError: string | null }
  sendWorker(id: ProcessId, event: Unstamped): void
  readonly router: Pick<Router, 'send'>
}

export class WorkerReports {
  /** What the task file declares; null until a first child has loaded it. */
  manifest: ReadonlyMap<string, TaskManifest> | null = null
  readonly #conversations = new Map<string, Conversation>()
  readonly #ports: ReportPorts

  constructor(ports: ReportPorts) {
    this.#ports = ports
  }

  begin(id: ProcessId): void {
    this.#conversations.set(keyOf(id), new Conversation(() => this.#ports.world.newToken()))
  }

  /** Undefined once the process is gone. */
  of(id: ProcessId): Conversation | undefined {
    return this.#conversations.get(keyOf(id))
  }

  end(id: ProcessId): void {
    this.#conversations.delete(keyOf(id))
  }

  /** @throws Error for what is not this process's to say. */
  judge(id: ProcessId, reports: readonly Report[]): Heard {
    const owns = (pid: number) => this.#ports.process(id)?.owns(pid) ?? null
    return this.of(id)?.hear(reports, owns) ?? NOTHING
  }

  accept(id: ProcessId, { attempts, others }: Heard): void {
    const conversation = this.of(id)
    if (conversation === undefined) return
    for (const report of others) this.#hear(id, conversation, report)
    if (attempts.length === 0) return
    this.#ports.router.send('process', 'ledger', {
      type: 'attempts.reported',
      ...id,
      reports: attempts,
    })
  }

  #hear(id: ProcessId, conversation: Conversation, report: OtherReport): void {
    const { factsOf, sessions, sendWorker } = this.#ports
    switch (report.kind) {
      case 'loaded':
        this.manifest = new Map(report.tasks.map((task) => [task.name, task]))
        sessions.learn(report.sessions)
        this.#ports.router.send('process', 'ledger', {
          type: 'tasks.known',
          known: knownOf(report),
        })
        return sendWorker(id, { type: 'process.loaded' })
      case 'sessionLaunched':
        return sendWorker(id, { type: 'session.launched' })
      case 'sessionReady':
        return this.#sessionReady(id, report.browserPid)
      case 'sessionFailed':
        factsOf(id.slot).lastError = report.error.message
        return sendWorker(id, {
          type: 'session.failed',
          error: report.error,
          permanent: report.permanent,
        })
      case 'browserLost':
        return this.#browserLost(id, report.browserPid)
      case 'log':
        return this.#log(id, conversation, report)
      case 'login':
        return sessions.noteLogin(id)
      case 'retire':
        return sendWorker(id, { type: 'retire.requested' })
      case 'heartbeat':
        factsOf(id.slot).rssBytes = report.rssBytes
        return
      default:
        report satisfies never
    }
  }

  #log(id: ProcessId, conversation: Conversation, { level, message, fields, token }: Log): void {
    const { logger, events } = this.#ports
    const name = token === undefined ? undefined : conversation.nameOf(token)
    // A child's fields never say whose they are.
    const stamped = { ...fields, ...name }
    logger[level](message, { ...stamped, worker: id.slot })
    events.emit('worker.log', () => ({ slot: id.slot, level, message, fields: stamped }))
  }

  #sessionReady(id: ProcessId, browserPid: number | null): void {
    const process = this.#ports.process(id)
    if (process === undefined) return
    // What cannot be seen is not taken for its own: whoever adopts a process will kill it one day.
    const isOwn = browserPid !== null && process.owns(browserPid) === true
    process.browserPid = isOwn ? browserPid : null
    if (isOwn) this.#ports.run().guardian.watch(browserPid)
    this.#ports.sendWorker(id, { type: 'session.ready' })
    const pid = process.pid ?? 0
    this.#ports.events.emit('worker.ready', () => ({ ...id, pid }))
    this.#ports.logger.debug('worker ready', { worker: id.slot, pid, browserPid })
  }

  #browserLost(id: ProcessId, browserPid: number): void {
    const process = this.#ports.process(id)
    if (process?.browserPid === browserPid) {
      this.#ports.run().guardian.release(browserPid)
      process.browserPid = null
    }
    const fields = { worker: id.slot, incarnation: id.incarnation, browserPid }
    this.#ports.logger.warn('the browser is gone; it is launched again', fields)
  }
}
