/**
 * A worker process as a whole: orders in, reports out, and how it ends. The pool alone handles signals and keeps the
 * clocks; when the pool is gone, so is this process and its browser, at once.
 */
import { join } from 'node:path'
import { type Frame, type ChildBirth, type LaunchSpec, type Order } from '../worker/protocol.ts'
import { attemptAll, TroupeError } from '../errors.ts'
import { DEFAULT_SESSION } from '../task/session-definition.ts'
import type { BrowserDriver, BrowserSpec } from './browser-driver.ts'
import { Equipment } from './equipment.ts'
import { boundedFacts } from './error-bounds.ts'
import type { Recorder } from '../inspect/recorder.ts'
import type { Home } from './home.ts'
import { Outbox } from './outbox.ts'
import { ProfileScale } from './profile-scale.ts'
import type { SessionHost } from './session-host.ts'
import { SessionMemory } from './session-memory.ts'
import { logLine } from './log-line.ts'
import { storageStateOf } from './storage-state.ts'
import { type LoadedTasks, manifestOf, sessionManifestOf } from './task-file.ts'
import { TaskRunner } from './task-runner.ts'

/** sysexits' EX_SOFTWARE: a defect in a task or in Troupe. */
const EXIT_DEFECT = 70
/** Last reports get this long to leave. */
const DRAIN_LIMIT_MS = 1_000

let hostModule: Promise<typeof import('./session-host.ts')> | null = null

/** Loaded when it is first needed: plain tasks never need it. */
function sessionHost(): Promise<typeof import('./session-host.ts')> {
  hostModule ??= import('./session-host.ts')
  return hostModule
}

export class Child {
  private readonly birth: ChildBirth
  private readonly home: Home
  private readonly outbox: Outbox
  private readonly memory = new SessionMemory()
  private loaded: LoadedTasks | null = null
  private runner: TaskRunner | null = null
  private host: SessionHost | null = null
  private scale: ProfileScale | null = null
  private driver: BrowserDriver | null = null
  private driverModule: Promise<BrowserDriver> | null = null
  private readonly equipment: Equipment
  private heart: NodeJS.Timeout | undefined
  private isEnding = false

  constructor(birth: ChildBirth, home: Home) {
    this.birth = birth
    this.home = home
    this.equipment = new Equipment(birth, home)
    this.outbox = new Outbox(
      birth.incarnation,
      (frame, written) => home.send(frame, written),
      () => home.rssBytes(),
    )
  }

  start(): void {
    this.home.listen({
      onFrame: (frame) => this.receive(frame),
      onPoolGone: () => this.die(),
      onExit: () => this.killAll(),
      onDefect: (error) => this.fail(error),
      onUnhandled: (error) =>
        this.log('error', 'A promise was rejected and nobody handled it.', error),
    })
    this.heart = setInterval(() => this.beat(), this.birth.heartbeatMs).unref()
    void this.load()
  }

  private async load(): Promise<void> {
    try {
      this.loaded = await this.equipment.load({
        session: this.memory,
        log: (message, fields = {}) => logLine(this.outbox, message, fields, { hook: true }),
        onTeardownFailed: (error) =>
          this.log('warn', 'The worker script failed in teardown.', error),
      })
    } catch (error) {
      this.outbox.push({ kind: 'sessionFailed', error: boundedFacts(error), permanent: true })
      return
    }
    const tasks = manifestOf(this.loaded)
    this.outbox.push({ kind: 'loaded', tasks, sessions: sessionManifestOf(this.loaded) })
    this.outbox.flush()
    this.runner = new TaskRunner(this.loaded.tasks, {
      outbox: this.outbox,
      session: this.memory,
      artifactFolder: this.birth.artifactFolder,
      isInRun: this.birth.artifactFolder.startsWith(join(this.birth.runFolder, '/')),
      diskFloorBytes: this.birth.diskFloorBytes ?? 0,
    })
    // The order to open one is on its way: load what it will need meanwhile.
    if (tasks.some(({ browser }) => browser)) void sessionHost()
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
        this.runner?.abort(order.token, order.reason, order.graceMs)
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

  private async openRecorder(): Promise<Recorder | null> {
    const { trace } = this.birth
    if (trace === undefined) return null
    const { sessionRecorder } = await import('../inspect/session-recorder.ts')
    return sessionRecorder(trace, (error) => this.log('warn', 'The trace ends.', error))
  }

  private async open(launch: LaunchSpec): Promise<void> {
    const { loaded, runner } = this
    if (this.host !== null || loaded === null || runner === null) return
    this.driverModule = this.home.driverOf(launch).then((driver) => {
      this.driver = driver
      return driver
    })
    // Its failure is the launch's failure, and is handled there.
    this.driverModule.catch(() => undefined)
    this.memory.name = launch.session
    const [{ SessionHost }, spec, recorder] = await Promise.all([
      sessionHost(),
      this.specOf(launch),
      this.openRecorder(),
    ])
    const definition = loaded.sessions.get(launch.session)?.definition
    if (spec === null || definition === undefined) return
    this.host = new SessionHost({
      spec,
      driver: this.driverModule,
      definition,
      concurrency: this.birth.concurrency,
      stepped: this.home.stepped,
      recorder,
      hooks: {
        memory: this.memory,
        log: (message, fields = {}) => logLine(this.outbox, message, fields, { hook: true }),
        onCheckFailed: (error) => this.log('warn', 'The check hook failed.', error),
      },
      listener: {
        onLaunched: () => this.outbox.push({ kind: 'sessionLaunched' }),
        onReady: (browserPid) => this.opened(browserPid),
        onLost: (browserPid) => this.outbox.push({ kind: 'browserLost', browserPid }),
        onFailed: (error, permanent) =>
          this.outbox.push({ kind: 'sessionFailed', error, permanent }),
        onClosed: () => void this.end(0),
        onLogin: () => this.outbox.push({ kind: 'login' }),
        onLog: (level, message, error) => this.log(level, message, error),
        onDefect: (error) => this.fail(error),
      },
    })
    this.scale = new ProfileScale(launch.maxProfileBytes ?? 0, {
      browser: () => this.host?.browser() ?? null,
      onTooLarge: (bytes) => {
        const reason = `the profile has ${bytes} bytes, ${launch.maxProfileBytes} are allowed`
        this.log('warn', `The worker asks to be replaced: ${reason}.`)
        this.outbox.push({ kind: 'retire', reason })
      },
    })
    runner.host = this.host
    this.host.open()
  }

  /** The pool's spec, completed by the session's definition; null once it has failed and said so. */
  private async specOf(launch: LaunchSpec): Promise<BrowserSpec | null> {
    const session = this.loaded?.sessions.get(launch.session)
    try {
      if (session === undefined) {
        const message = `The task file defines no session "${launch.session}".`
        throw new TroupeError('WORKER_START_FAILED', message)
      }
      return {
        ...launch,
        args: [...launch.args, ...session.args],
        isolation: session.definition.isolation ?? launch.isolation,
        tab: session.tab,
        state: await storageStateOf(session, this.birth.tasks),
      }
    } catch (error) {
      // No better the next time; but this worker may hold another session then.
      const permanent = launch.session === DEFAULT_SESSION
      this.outbox.push({ kind: 'sessionFailed', error: boundedFacts(error), permanent })
      return null
    }
  }

  private opened(browserPid: number | null): void {
    this.outbox.push({ kind: 'sessionReady', browserPid })
    this.outbox.flush()
    this.home.onOpened()
  }

  private beat(): void {
    this.outbox.push({ kind: 'heartbeat', rssBytes: this.home.rssBytes() })
    void this.scale?.beat()
  }

  private log(level: 'error' | 'warn', message: string, error?: unknown): void {
    const fields = error === undefined ? {} : { error: boundedFacts(error) }
    this.outbox.log(level, message, fields)
  }

  /** After an exception that nobody caught, nothing in this process can be trusted. */
  private fail(error: unknown): void {
    const message = 'An exception was thrown and nobody caught it: the worker ends.'
    attemptAll([() => this.log('error', message, error)])
    void this.end(EXIT_DEFECT)
  }

  private async end(code: number): Promise<void> {
    if (this.isEnding) return
    this.isEnding = true
    try {
      if (code === 0) await this.equipment.putAway()
      clearInterval(this.heart)
      const limit = setTimeout(() => this.home.exit(code), DRAIN_LIMIT_MS)
      await this.outbox.drain()
      clearTimeout(limit)
    } finally {
      // Whatever could not be said or put away: it ends.
      this.home.exit(code)
    }
  }

  /** The pool is gone. No code of a task may run any longer, and nothing may be left. */
  private die(): void {
    clearInterval(this.heart)
    this.killAll()
    this.home.die(this.runner?.running ?? 0)
    // Only a child without a process of its own lives to see this.
    this.host?.abandon()
    this.runner?.abandon()
  }

  private killAll(): void {
    this.driver?.killAll?.()
    this.equipment.killAll()
  }
}
