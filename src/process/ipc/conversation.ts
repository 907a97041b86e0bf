/**
 * What one child may say, and of which attempts: it knows what its process was told, and judges what
 * that process reports by it. An attempt has one random number; who has not been given it cannot speak
 * of it, and it means nothing when another process says it. It acts on nothing.
 */
import type {
  AttemptReport,
  AbortOrder,
  AttemptReportOfChild,
  LaunchSpec,
  Report,
  RunOrder,
  TaskAbort,
  TaskOrder,
} from './protocol.ts'

/** So many attempts are remembered after their end, to tell a repeated report from a forged one. */
const MAX_SPENT = 1_024

export interface AttemptName {
  readonly taskId: string
  readonly attempt: number
}

export type OtherReport = Exclude<Report, AttemptReportOfChild>

/** A frame that may be believed. */
export interface Heard {
  readonly attempts: readonly AttemptReport[]
  /** In the order in which they were said. */
  readonly others: readonly OtherReport[]
}

/** Kinds that only a process says that was told to open a session. */
const OF_SESSION: ReadonlySet<Report['kind']> = new Set([
  'sessionLaunched',
  'sessionReady',
  'browserLost',
  'login',
  'retire',
])

export class Conversation {
  readonly #newToken: () => number
  readonly #live = new Map<number, AttemptName>()
  #spent = new Map<number, AttemptName>()
  #spentBefore = new Map<number, AttemptName>()
  /** Of the live ones, those it was told to stop. */
  readonly #stopped = new Set<number>()
  #hasLoaded = false
  #isOpened = false
  #hasBrowser = false
  #isBroken = false

  constructor(newToken: () => number) {
    this.#newToken = newToken
  }

  /** The order as it goes to the process, with the number of its attempt. */
  ordered(order: TaskOrder): RunOrder {
    let token = this.#newToken()
    while (this.nameOf(token) !== undefined) token = this.#newToken()
    this.#live.set(token, { taskId: order.taskId, attempt: order.attempt })
    return { ...order, token }
  }

  /** The order as it goes to the process. Undefined when its end has been heard already. */
  aborted({ taskId, attempt, ...rest }: TaskAbort): AbortOrder | undefined {
    for (const [token, name] of this.#live) {
      if (name.taskId !== taskId || name.attempt !== attempt) continue
      this.#stopped.add(token)
      return { kind: 'abort', token, ...rest }
    }
    return undefined
  }

  opened(launch: LaunchSpec | null): void {
    this.#isOpened = true
    this.#hasBrowser = launch !== null
  }

  nameOf(token: number): AttemptName | undefined {
    return this.#live.get(token) ?? this.#spent.get(token) ?? this.#spentBefore.get(token)
  }

  /**
   * All of a frame, or nothing of it. `owns`: whether a process was started by this one.
   *
   * @throws Error that names what was not this process's to say. It is not heard again.
   */
  hear(reports: readonly Report[], owns: (pid: number) => boolean | null): Heard {
    if (this.#isBroken) return { attempts: [], others: [] }
    this.#isBroken = true
    const attempts: AttemptReport[] = []
    const others: OtherReport[] = []
    for (const report of reports) {
      if (isOfAttempt(report)) this.#hearAttempt(report, attempts)
      else {
        this.#judge(report, owns)
        others.push(report)
      }
    }
    this.#isBroken = false
    return { attempts, others }
  }

  #hearAttempt(report: AttemptReportOfChild, heard: AttemptReport[]): void {
    const { token } = report
    const name = this.#live.get(token)
    if (name === undefined) {
      // Its end has been told: whatever else is said of it has no effect.
      if (this.nameOf(token) !== undefined) return
      throw new Error(`a report of the kind ${report.kind} was of no attempt of this process`)
    }
    if (report.kind === 'ended') {
      if (report.verdict === 'cancelled' && !this.#stopped.has(token)) {
        throw new Error('an attempt ended as cancelled that nobody had told to stop')
      }
      this.#spend(token, name)
    }
    heard.push(named(report, name))
  }

  #spend(token: number, name: AttemptName): void {
    this.#live.delete(token)
    this.#stopped.delete(token)
    if (this.#spent.size >= MAX_SPENT) {
      this.#spentBefore = this.#spent
      this.#spent = new Map()
    }
    this.#spent.set(token, name)
  }

  #judge(report: OtherReport, owns: (pid: number) => boolean | null): void {
    if (report.kind === 'loaded') {
      if (this.#hasLoaded) throw new Error('a process said twice that it has loaded')
      this.#hasLoaded = true
    }
    if (OF_SESSION.has(report.kind) && !this.#isOpened) {
      throw new Error(`a process said ${report.kind} that was not told to open a session`)
    }
    if (report.kind !== 'sessionReady' || report.browserPid === null) return
    if (!this.#hasBrowser) throw new Error('a process has a browser that was told to have none')
    if (owns(report.browserPid) === false) {
      throw new Error(`process ${report.browserPid} is no browser of this process`)
    }
  }
}

function named(report: AttemptReportOfChild, { taskId, attempt }: AttemptName): AttemptReport {
  switch (report.kind) {
    case 'started':
      return { kind: 'started', taskId, attempt }
    case 'progress':
      return { kind: 'progress', taskId, attempt, progress: report.progress }
    case 'ended': {
      const { verdict, value, error } = report
      return error === undefined
        ? { kind: 'ended', taskId, attempt, verdict, value }
        : { kind: 'ended', taskId, attempt, verdict, error }
    }
    default:
      return report satisfies never
  }
}

function isOfAttempt(report: Report): report is AttemptReportOfChild {
  return report.kind === 'ended' || report.kind === 'started' || report.kind === 'progress'
}
