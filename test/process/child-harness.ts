/**
 * Forks one worker process as the pool does, sends it orders and reads its reports. A test's stand-in for the pool: it
 * keeps no books and makes no decisions.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CHANNEL_FD, encodeMessage, MessageReader } from '../../src/process/ipc/channel.ts'
import type { AttemptName } from '../../src/process/ipc/conversation.ts'
import {
  type AttemptReportOfChild,
  WORKER_INIT_VARIABLE,
  type WorkerInit,
  type Frame,
  type LaunchSpec,
  type Order,
  type Report,
  type TaskOrder,
} from '../../src/process/ipc/protocol.ts'

const ENTRY = fileURLToPath(new URL('../../src/child/entry.ts', import.meta.url))
const INCARNATION = 7
type Kind = Report['kind']
/** As tests read it: an attempt by its name in place of its token. */
type Named = Exclude<Report, AttemptReportOfChild> | (AttemptReportOfChild & AttemptName)
export type Of<K extends Kind> = Extract<Named, { kind: K }>

export class Harness {
  readonly folder = mkdtempSync(join(tmpdir(), 'troupe-child-'))
  readonly process: ChildProcess
  readonly channel: Socket
  readonly reports: Named[] = []
  readonly exited: Promise<{ code: number | null; signal: string | null }>
  readonly #watchers = new Set<() => void>()
  /** By token: a token is a place. */
  readonly #names: AttemptName[] = []

  constructor(tasks: URL, init: Partial<WorkerInit> = {}) {
    const whole: WorkerInit = {
      slot: 'worker-1',
      incarnation: INCARNATION,
      tasks: tasks.href,
      runFolder: this.folder,
      compileCache: join(this.folder, 'compiled'),
      artifactFolder: join(this.folder, 'artifacts'),
      heartbeatMs: 60_000,
      concurrency: 1,
      ...init,
    }
    this.process = spawn(process.execPath, ['--conditions=troupe-child', ENTRY], {
      detached: true,
      env: { ...process.env, [WORKER_INIT_VARIABLE]: JSON.stringify(whole) },
      stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    })
    this.channel = this.process.stdio[CHANNEL_FD] as Socket
    const reader = new MessageReader((message) => this.#hear(message as Frame<Report>))
    this.channel.on('data', (chunk: Buffer) => reader.push(chunk))
    this.channel.on('error', () => undefined)
    this.exited = new Promise((resolve) => {
      this.process.once('exit', (code, signal) => resolve({ code, signal }))
    })
  }

  order(...items: (Order | TaskOrder)[]): void {
    this.send(INCARNATION, items)
  }

  send(incarnation: number, items: readonly (Order | TaskOrder)[]): void {
    const numbered = items.map((item) => {
      if (item.kind !== 'run') return item
      const { taskId, attempt } = item
      return { ...item, token: this.#names.push({ taskId, attempt }) - 1 }
    })
    this.channel.write(encodeMessage({ incarnation, items: numbered } satisfies Frame<Order>))
  }

  #hear(frame: Frame<Report>): void {
    if (frame.incarnation !== INCARNATION) throw new Error('a frame with a wrong stamp')
    for (const report of frame.items) {
      const token = 'token' in report ? report.token : undefined
      const name = token === undefined ? undefined : this.#names[token]
      this.reports.push({ ...report, ...name } as Named)
    }
    for (const watch of this.#watchers) watch()
  }

  run(taskId: string, name: string, payload: unknown = null, attempt = 1): void {
    this.order({ kind: 'run', taskId, attempt, name, payload, timeoutMs: 0 })
  }

  abort(taskId: string, graceMs: number, reason: 'requested' | 'timedOut' = 'requested'): void {
    const token = this.#names.findIndex((name) => name.taskId === taskId)
    this.order({ kind: 'abort', token, reason, graceMs })
  }

  /** The first report of the kind that fits, past or to come. */
  report<K extends Kind>(kind: K, fits: (report: Of<K>) => boolean = () => true): Promise<Of<K>> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = this.reports.find(
          (one): one is Of<K> => one.kind === kind && fits(one as Of<K>),
        )
        if (found === undefined) return
        this.#watchers.delete(look)
        resolve(found)
      }
      this.#watchers.add(look)
      look()
    })
  }

  all<K extends Kind>(kind: K): Of<K>[] {
    return this.reports.filter((report): report is Of<K> => report.kind === kind)
  }

  ended(taskId: string, attempt = 1): Promise<Of<'ended'>> {
    return this.report('ended', (end) => end.taskId === taskId && end.attempt === attempt)
  }

  /** The spec of a launch whose folders are this harness's. */
  spec(rest: Partial<LaunchSpec> & Pick<LaunchSpec, 'executablePath'>): LaunchSpec {
    return {
      args: [],
      headless: true,
      profileFolder: join(this.folder, 'profile'),
      tmpFolder: this.folder,
      isolation: 'session',
      launchTimeoutMs: 15_000,
      session: 'default',
      ...rest,
    }
  }

  /** Opens the session and waits until it is ready. Rejects when it fails. */
  async open(launch: LaunchSpec | null): Promise<Of<'sessionReady'>> {
    await this.report('loaded')
    this.order({ kind: 'open', launch })
    const failed = this.report('sessionFailed').then(({ error }) => {
      throw new Error(error.message)
    })
    return Promise.race([this.report('sessionReady'), failed])
  }

  /** Processes that name this harness's folder in their command line: its browsers. */
  browsers(): number[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((name) => commandLine(name).includes(`--user-data-dir=${this.folder}`))
      .map(Number)
  }

  /** Kills what may be left and removes the folder. */
  async dispose(): Promise<void> {
    this.process.kill('SIGKILL')
    await this.exited
    for (const pid of this.browsers()) killQuietly(pid)
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** Resolves once no process has `pid`; rejects after `limitMs`. */
export async function vanished(pids: readonly number[], limitMs: number): Promise<void> {
  const deadline = Date.now() + limitMs
  while (pids.some(isAlive)) {
    if (Date.now() > deadline) throw new Error(`still alive: ${pids.filter(isAlive).join(', ')}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // Gone already.
  }
}
