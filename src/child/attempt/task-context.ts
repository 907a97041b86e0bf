/**
 * What a handler gets. Members live on the prototype and are made when they are asked for, so that a context costs one
 * small object, and `({ payload, log })` works all the same. It decides nothing: it passes on what the handler says.
 */
import type { Page } from 'puppeteer-core'
import { deserializeError } from '../../common/errors.ts'
import { snapshot } from '../../values/snapshot.ts'
import type { SessionFacts } from '../../tasks.ts'
import type {
  Artifact,
  DependencyOutcome,
  DownloadOptions,
  DownloadsOptions,
  PlainTaskContext,
  TaskContext,
} from '../../task/context.ts'
import { ArtifactBox } from './artifacts.ts'
import type { Attempt } from './attempt.ts'
import type { DrivenTab } from '../browser/browser-driver.ts'
import { logLine, MAX_LOG_BYTES } from '../log-line.ts'
import type { Outbox } from '../outbox.ts'

/** A progress value above this is refused. */
const MAX_PROGRESS_BYTES = 16 * 1024
type Fields = Readonly<Record<string, unknown>>

/** What all attempts of a process share. */
export interface Ground {
  readonly outbox: Outbox
  readonly session: SessionFacts
  readonly artifactFolder: string
  readonly diskFloorBytes: number
  readonly isInRun?: boolean
}

export class PlainContext implements PlainTaskContext {
  readonly payload: unknown
  readonly #attempt: Attempt
  readonly #ground: Ground
  #box: ArtifactBox | null = null
  #dependencies: Readonly<Record<string, DependencyOutcome>> | null = null

  constructor(attempt: Attempt, ground: Ground) {
    this.payload = attempt.payload
    this.#attempt = attempt
    this.#ground = ground
  }

  get taskId(): string {
    return this.#attempt.taskId
  }

  get attempt(): number {
    return this.#attempt.attempt
  }

  get signal(): AbortSignal {
    return this.#attempt.signal
  }

  get dependencies(): Readonly<Record<string, DependencyOutcome>> {
    this.#dependencies ??= Object.fromEntries(
      Object.entries(this.#attempt.dependencies ?? {}).map(([id, facts]) => [
        id,
        facts.status === 'succeeded' ? facts : { ...facts, error: deserializeError(facts.error) },
      ]),
    )
    return this.#dependencies
  }

  get session(): SessionFacts {
    return this.#ground.session
  }

  get progress(): (value: unknown) => void {
    return (value) => {
      if (this.#attempt.ended) return
      // As it is now: the handler may go on with the same object.
      const { value: progress } = snapshot(value, 'progress', MAX_PROGRESS_BYTES)
      this.#ground.outbox.noteProgress(this.#attempt.token, progress)
    }
  }

  get log(): (message: string, fields?: Fields) => void {
    return (message, fields = {}) => {
      logLine(this.#ground.outbox, message, fields, {}, this.#attempt.token)
    }
  }

  get artifact(): (name: string, data: string | Uint8Array) => Promise<Artifact> {
    return (name, data) => this.box.write(name, data)
  }

  get retire(): (reason: string) => void {
    return (reason) => {
      const text = String(reason).slice(0, MAX_LOG_BYTES)
      this.#ground.outbox.push({ kind: 'retire', reason: text })
    }
  }

  protected get box(): ArtifactBox {
    this.#box ??= new ArtifactBox(this.#ground, this.#attempt.taskId)
    return this.#box
  }
}

export class BrowserContext extends PlainContext implements TaskContext {
  readonly page: Page
  readonly #tab: DrivenTab

  constructor(attempt: Attempt, ground: Ground, tab: DrivenTab) {
    super(attempt, ground)
    this.page = tab.page
    this.#tab = tab
  }

  get download(): (
    source: string | (() => Promise<unknown>),
    options?: DownloadOptions,
  ) => Promise<Artifact> {
    return (source, options = {}) =>
      this.box.collect((folder) => this.#tab.download(source, folder, options))
  }

  get downloads(): (
    action: () => Promise<unknown>,
    options?: DownloadsOptions,
  ) => Promise<Artifact[]> {
    return (action, options = {}) =>
      this.box.collectAll((folder) => this.#tab.downloadAll(action, folder, options))
  }
}
