/**
 * A worker process as a whole: orders in, reports out, and how it ends. The pool alone handles signals and keeps the
 * clocks; when the pool is gone, so is this process and its browser, at once.
 */
import module from 'node:module'
import { type Frame, type ChildBirth, type LaunchSpec, type Order } from '../worker/protocol.ts'
import type { BrowserDriver } from './browser-driver.ts'
import { boundedFacts } from './error-bounds.ts'
import { Outbox } from './outbox.ts'
import type { SessionHost } from './session-host.ts'
import { SessionMemory } from './session-memory.ts'
import { logLine } from './task-context.ts'
import { type LoadedTasks, loadTasks, manifestOf } from './task-file.ts'
import { TaskRunner } from './task-runner.ts'

/** sysexits' EX_SOFTWARE: a defect in a task or in Troupe. */
const EXIT_DEFECT = 70
/** Last reports get this long to leave. */
const DRAIN_LIMIT_MS = 1_000

export class Child {
  private readonly birth: ChildBirth
  private readonly outbox: Outbox
  private readonly memory = new SessionMemory()
  private loaded: LoadedTasks | null = null
  private runner: TaskRunner | null = null
  private host: SessionHost | null = null
  private driver: BrowserDriver | null = null
  private hostModule: Promise<typeof import('./session-host.ts')> | null = null
  private driverModule: Promise<BrowserDriver> | null = null
  private isEnding = false

  constructor(birth: ChildBirth) {
    this.birth = birth
    this.outbox = new Outbox(birth.incarnation, (frame, written) =>
      process.send ? process.send(frame, undefined, undefined, written) : false,
    )
  }

  start(): void {
    process.on('message', (frame: Frame<Order>) => this.receive(frame))
    process.on('disconnect', () => this.die())
    process.on('exit', () => this.driver?.killAll?.())
    // A terminal sends it to everybody; the pool decides what it means.
    process.on('SIGINT', () => undefined)
    process.on('uncaughtException', (error) => this.fail(error))
    process.on('unhandledRejection', (error) =>
      this.log('error', 'A promise was rejected and nobody handled it.', error),
    )
    setInterval(() => this.beat(), this.birth.heartbeatMs).unref()
    void this.load()
  }

  private async load(): Promise<void> {
    try {
      this.loaded = await loadTasks(this.birth.tasks)
    } catch (error) {
      this.outbox.push({ kind: 'sessionFailed', error: boundedFacts(error), permanent: true })
      return
    }
    const tasks = manifestOf(this.loaded)
    this.outbox.push({ kind: 'loaded', tasks })
    this.outbox.flush()
    this.runner = new TaskRunner(this.loaded.tasks, {
      outbox: this.outbox,
      session: this.memory,
      artifactFolder: this.birth.artifactFolder,
    })
    // The order to open one is on its way: load what it will need meanwhile.
    if (tasks.some(({ browser }) => browser)) this.hostModule = import('./session-host.ts')
  }

  private receive(frame: Frame<Order>): void {
    if (frame.incarnation !== this.birth.incarnation) {
      this.outbox.log('warn', `Orders for incarnation ${frame.incarnation} were ignored.`)
      return
    }
    for (const order of frame.items) this.obey(order)
  }

  private obey(order: Order): void {
    switch (order.kind) {
      case 'run':
        if (this.runner === null) this.log('error', 'A task came before the task file was loaded.')
        else this.runner.run(order)
        return
      case 'abort':
        this.runner?.abort(order.taskId, order.attempt, order.reason, order.graceMs)
        return
      case 'open':
        if (order.launch === null) this.outbox.push({ kind: 'sessionReady', browserPid: null })
        else void this.open(order.launch)
        return
      case 'close':
        if (this.host === null) void this.end(0)
        else this.host.close()
        return
      default:
        order satisfies never
    }
  }

  private async open(spec: LaunchSpec): Promise<void> {
    if (this.host !== null || this.loaded === null || this.runner === null) return
    this.hostModule ??= import('./session-host.ts')
    this.driverModule = driverOf(spec).then((driver) => {
      this.driver = driver
      return driver
    })
    // Its failure is the launch's failure, and is handled there.
    this.driverModule.catch(() => undefined)
    const { SessionHost } = await this.hostModule
    this.host = new SessionHost({
      spec,
      driver: this.driverModule,
      definition: this.loaded.session,
      concurrency: this.birth.concurrency,
      hooks: {
        memory: this.memory,
        log: (message, fields = {}) => logLine(this.outbox, message, fields, { hook: true }),
        onCheckFailed: (error) => this.log('warn', 'The check hook failed.', error),
      },
      listener: {
        onReady: (browserPid) => this.opened(browserPid),
        onLost: (browserPid) => this.outbox.push({ kind: 'browserLost', browserPid }),
        onFailed: (error, permanent) =>
          this.outbox.push({ kind: 'sessionFailed', error, permanent }),
        onClosed: () => void this.end(0),
        onLogin: () => this.outbox.push({ kind: 'login' }),
        onLog: (level, message, error) => this.log(level, message, error),
      },
    })
    this.runner.host = this.host
    this.host.open()
  }

  private opened(browserPid: number | null): void {
    this.outbox.push({ kind: 'sessionReady', browserPid })
    this.outbox.flush()
    // For the next process of this run; a killed process would not write it.
    setImmediate(() => module.flushCompileCache())
  }

  private beat(): void {
    this.outbox.push({ kind: 'heartbeat', rssBytes: process.memoryUsage.rss() })
  }

  private log(level: 'error' | 'warn', message: string, error?: unknown): void {
    const fields = error === undefined ? {} : { error: boundedFacts(error) }
    this.outbox.log(level, message, fields)
  }

  /** After an exception that nobody caught, nothing in this process can be trusted. */
  private fail(error: unknown): void {
    this.log('error', 'An exception was thrown and nobody caught it: the worker ends.', error)
    void this.end(EXIT_DEFECT)
  }

  private async end(code: number): Promise<void> {
    if (this.isEnding) return
    this.isEnding = true
    setTimeout(() => process.exit(code), DRAIN_LIMIT_MS)
    await this.outbox.drain()
    process.exit(code)
  }

  /** The pool is gone. No code of a task may run any longer, and nothing may be left. */
  private die(): void {
    this.driver?.killAll?.()
    try {
      // A worker leads its own group: what tasks have started goes with it.
      process.kill(-process.pid, 'SIGKILL')
    } catch {
      process.kill(process.pid, 'SIGKILL')
    }
  }
}

async function driverOf(spec: LaunchSpec): Promise<BrowserDriver> {
  if (spec.driver === undefined) return (await import('./puppeteer-driver.ts')).driver
  const loaded: { driver?: BrowserDriver } = await import(spec.driver)
  if (loaded.driver === undefined) throw new Error(`${spec.driver} does not export "driver".`)
  return loaded.driver
}
