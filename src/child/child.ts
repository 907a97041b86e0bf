/**
 * A worker process as a whole: orders in, reports out, and how it ends. The pool alone handles signals and keeps the
 * clocks; when the pool is gone, so is this process and its browser, at once.
 */
import { join } from 'node:path'
import {
  type Frame,
  type WorkerInit,
  type LaunchSpec,
  type Order,
} from '../process/ipc/protocol.ts'
import { attemptAll, TroupeError } from '../common/errors.ts'
import { DEFAULT_SESSION } from '../task/session-definition.ts'
import type { BrowserDriver, BrowserSpec } from './browser/browser-driver.ts'
import { WorkerModules } from './worker-modules.ts'
import { boundedError } from './error-bounds.ts'
import type { Recorder } from '../inspect/recorder.ts'
import type { ChildHost } from './child-host.ts'
import { Outbox } from './outbox.ts'
import { ProfileScale } from './browser/profile-scale.ts'
import type { SessionHost } from './session/session-host.ts'
import { SessionMemory } from './session/session-memory.ts'
import { logLine } from './log-line.ts'
import { storageStateOf } from './session/storage-state.ts'
import { type LoadedTasks, manifestOf, sessionManifestOf } from './task-file.ts'
import { TaskRunner } from './attempt/task-runner.ts'

/** sysexits' EX_SOFTWARE: a defect in a task or in Troupe. */
const EXIT_DEFECT = 70
/** Last reports get this long to leave. */
const DRAIN_LIMIT_MS = 1_000

let hostModule: Promise<typeof import('./session/session-host.ts')> | null = null

/** Loaded when it is first needed: plain tasks never need it. */
function sessionHost(): Promise<typeof import('./session/session-host.ts')> {
  hostModule ??= import('./session/session-host.ts')
  return hostModule
}

export class Child {
  readonly #init: WorkerInit
  readonly #childHost: ChildHost
  readonly #outbox: Outbox
  readonly #memory = new SessionMemory()
  #loaded: LoadedTasks | null = null
  #runner: TaskRunner | null = null
  #host: SessionHost | null = null
  #scale: ProfileScale | null = null
  #driver: BrowserDriver | null = null
  #driverModule: Promise<BrowserDriver> | null = null
  readonly #modules: WorkerModules
  #heart: NodeJS.Timeout | undefined
  #isEnding = false

  constructor(init: WorkerInit, childHost: ChildHost) {
    this.#init = init
    this.#childHost = childHost
    this.#modules = new WorkerModules(init, childHost)
    this.#outbox = new Outbox(
      init.incarnation,
      (frame, written) => childHost.send(frame, written),
      () => childHost.rssBytes(),
    )
  }

  start(): void {
    this.#childHost.listen({
      onFrame: (frame) => this.#receive(frame),
      onPoolGone: () => this.#die(),
      onExit: () => this.#killAll(),
      onDefect: (error) => this.#fail(error),
      onUnhandled: (error) =>
        this.#log('error', 'A promise was rejected and nobody handled it.', error),
    })
    this.#heart = setInterval(() => this.#beat(), this.#init.heartbeatMs).unref()
    void this.#load()
  }

  async #load(): Promise<void> {
    try {
      this.#loaded = await this.#modules.load({
        session: this.#memory,
        log: (message, fields = {}) => logLine(this.#outbox, message, fields, { hook: true }),
        onTeardownFailed: (error) =>
          this.#log('warn', 'The worker script failed in teardown.', error),
      })
    } catch (error) {
      this.#outbox.push({ kind: 'sessionFailed', error: boundedError(error), permanent: true })
      return
    }
    const tasks = manifestOf(this.#loaded)
    this.#outbox.push({ kind: 'loaded', tasks, sessions: sessionManifestOf(this.#loaded) })
    this.#outbox.flush()
    this.#runner = new TaskRunner(this.#loaded.tasks, {
      outbox: this.#outbox,
      session: this.#memory,
      artifactFolder: this.#init.artifactFolder,
      isInRun: this.#init.artifactFolder.startsWith(join(this.#init.runFolder, '/')),
      diskFloorBytes: this.#init.diskFloorBytes ?? 0,
    })
    // The order to open one is on its way: load what it will need meanwhile.
    if (tasks.some(({ browser }) => browser)) void sessionHost()
  }

  #receive(frame: Frame<Order>): void {
    if (frame.incarnation !== this.#init.incarnation) {
      this.#outbox.log('warn', `Orders for incarnation ${frame.incarnation} were ignored.`)
      return
    }
    for (const order of frame.items) this.#obey(order)
  }

  #obey(order: Order): void {
    switch (order.kind) {
      case 'run':
        if (this.#runner === null)
          this.#log('error', 'A task came before the task file was loaded.')
        else this.#runner.run(order)
        return
      case 'abort':
        this.#runner?.abort(order.token, order.reason, order.graceMs)
        return
      case 'open':
        if (order.launch === null) this.#outbox.push({ kind: 'sessionReady', browserPid: null })
        else void this.#open(order.launch)
        return
      case 'close':
        if (this.#host === null) void this.#end(0)
        else this.#host.close()
        return
      default:
        order satisfies never
    }
  }

  async #openRecorder(): Promise<Recorder | null> {
    const { trace } = this.#init
    if (trace === undefined) return null
    const { sessionRecorder } = await import('../inspect/session-recorder.ts')
    return sessionRecorder(trace, (error) => this.#log('warn', 'The trace ends.', error))
  }

  async #open(launch: LaunchSpec): Promise<void> {
    const loaded = this.#loaded,
      runner = this.#runner
    if (this.#host !== null || loaded === null || runner === null) return
    this.#driverModule = this.#childHost.driverOf(launch).then((driver) => {
      this.#driver = driver
      return driver
    })
    // Its failure is the launch's failure, and is handled there.
    this.#driverModule.catch(() => undefined)
    this.#memory.name = launch.session
    const [{ SessionHost }, spec, recorder] = await Promise.all([
      sessionHost(),
      this.#specOf(launch),
      this.#openRecorder(),
    ])
    const definition = loaded.sessions.get(launch.session)?.definition
    if (spec === null || definition === undefined) return
    this.#host = new SessionHost({
      spec,
      driver: this.#driverModule,
      definition,
      concurrency: this.#init.concurrency,
      stepped: this.#childHost.stepped,
      recorder,
      hooks: {
        memory: this.#memory,
        log: (message, fields = {}) => logLine(this.#outbox, message, fields, { hook: true }),
        onCheckFailed: (error) => this.#log('warn', 'The check hook failed.', error),
      },
      listener: {
        onLaunched: () => this.#outbox.push({ kind: 'sessionLaunched' }),
        onReady: (browserPid) => this.#opened(browserPid),
        onLost: (browserPid) => this.#outbox.push({ kind: 'browserLost', browserPid }),
        onFailed: (error, permanent) =>
          this.#outbox.push({ kind: 'sessionFailed', error, permanent }),
        onClosed: () => void this.#end(0),
        onLogin: () => this.#outbox.push({ kind: 'login' }),
        onLog: (level, message, error) => this.#log(level, message, error),
        onDefect: (error) => this.#fail(error),
      },
    })
    this.#scale = new ProfileScale(launch.maxProfileBytes ?? 0, {
      browser: () => this.#host?.browser() ?? null,
      onTooLarge: (bytes) => {
        const reason = `the profile has ${bytes} bytes, ${launch.maxProfileBytes} are allowed`
        this.#log('warn', `The worker asks to be replaced: ${reason}.`)
        this.#outbox.push({ kind: 'retire', reason })
      },
    })
    runner.host = this.#host
    this.#host.open()
  }

  /** The pool's spec, completed by the session's definition; null once it has failed and said so. */
  async #specOf(launch: LaunchSpec): Promise<BrowserSpec | null> {
    const session = this.#loaded?.sessions.get(launch.session)
    try {
      if (session === undefined) {
        const message = `the task file defines no session "${launch.session}".`
        throw new TroupeError('WORKER_START_FAILED', message)
      }
      return {
        ...launch,
        args: [...launch.args, ...session.args],
        isolation: session.definition.isolation ?? launch.isolation,
        tab: session.tab,
        state: await storageStateOf(session, this.#init.tasks),
      }
    } catch (error) {
      // No better the next time; but this worker may hold another session then.
      const permanent = launch.session === DEFAULT_SESSION
      this.#outbox.push({ kind: 'sessionFailed', error: boundedError(error), permanent })
      return null
    }
  }

  #opened(browserPid: number | null): void {
    this.#outbox.push({ kind: 'sessionReady', browserPid })
    this.#outbox.flush()
    this.#childHost.onOpened()
  }

  #beat(): void {
    this.#outbox.push({ kind: 'heartbeat', rssBytes: this.#childHost.rssBytes() })
    void this.#scale?.beat()
  }

  #log(level: 'error' | 'warn', message: string, error?: unknown): void {
    const fields = error === undefined ? {} : { error: boundedError(error) }
    this.#outbox.log(level, message, fields)
  }

  /** After an exception that nobody caught, nothing in this process can be trusted. */
  #fail(error: unknown): void {
    const message = 'An exception was thrown and nobody caught it: the worker ends.'
    attemptAll([() => this.#log('error', message, error)])
    void this.#end(EXIT_DEFECT)
  }

  async #end(code: number): Promise<void> {
    if (this.#isEnding) return
    this.#isEnding = true
    try {
      if (code === 0) await this.#modules.putAway()
      clearInterval(this.#heart)
      const limit = setTimeout(() => this.#childHost.exit(code), DRAIN_LIMIT_MS)
      await this.#outbox.drain()
      clearTimeout(limit)
    } finally {
      // Whatever could not be said or put away: it ends.
      this.#childHost.exit(code)
    }
  }

  /** The pool is gone. No code of a task may run any longer, and nothing may be left. */
  #die(): void {
    clearInterval(this.#heart)
    this.#killAll()
    this.#childHost.die(this.#runner?.running ?? 0)
    // Only a child without a process of its own lives to see this.
    this.#host?.abandon()
    this.#runner?.abandon()
  }

  #killAll(): void {
    this.#driver?.killAll?.()
    this.#modules.killAll()
  }
}
