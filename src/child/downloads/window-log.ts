/**
 * Which windows a browser has opened of late, by whom, for what and in which context: a download that begins in a
 * window of its own is told of by that window alone, and it is gone by the next moment. Frames of our tabs likewise.
 */
import type { CDPSession, Page, Protocol } from 'puppeteer-core'

/** Windows, and frames, that are remembered, the newest. */
const MAX_WINDOWS = 1_000

/** Not all of what the browser says: an address may be megabytes long. */
interface Origin<Purpose> {
  readonly openerId: string | undefined
  readonly contextId: string | undefined
  /** For what it was opened; null: for nothing that is known. */
  readonly purpose: Purpose | null
}

/** A window and those that opened it, the nearest first. */
export interface Descent<Purpose> {
  readonly ids: readonly string[]
  /** Of each. */
  readonly purposes: readonly (Purpose | null)[]
  /** Of the last one, that nobody opened. */
  readonly contextId: string | undefined
}

export class WindowLog<Purpose> {
  readonly #windows = new Map<string, Origin<Purpose>>()
  /** Window by frame. */
  readonly #frames = new Map<string, string>()
  readonly #purposeOf: (descent: Descent<Purpose>) => Purpose | null

  /**
   * `session`: any of the browser; what puppeteer hears of targets is heard here too. `purposeOf`: for what a page with
   * this descent has just opened a window.
   */
  constructor(session: CDPSession, purposeOf: (descent: Descent<Purpose>) => Purpose | null) {
    this.#purposeOf = purposeOf
    session.connection()?.on('Target.targetCreated', ({ targetInfo }) => this.#note(targetInfo))
  }

  /** Remembers the frames of a page, also when they are gone. `client`: by which puppeteer drives it. */
  watch(page: Page, client: CDPSession): void {
    const id = targetIdOf(page)
    client.on('Page.frameAttached', ({ frameId }) => remember(this.#frames, frameId, id))
  }

  /** Null: not known which window the frame is in. */
  descentOf(frameId: string): Descent<Purpose> | null {
    let id: string | undefined = this.#frames.get(frameId) ?? frameId
    if (!this.#windows.has(id)) return null
    const ids: string[] = []
    const purposes: (Purpose | null)[] = []
    let contextId: string | undefined
    // A window may have been opened by a window.
    while (id !== undefined && !ids.includes(id)) {
      const window = this.#windows.get(id)
      ids.push(id)
      purposes.push(window?.purpose ?? null)
      contextId = window?.contextId ?? contextId
      id = window?.openerId
    }
    return { ids, purposes, contextId }
  }

  #note({ type, targetId, openerId, browserContextId }: Protocol.Target.TargetInfo): void {
    if (type !== 'page') return
    const opener = openerId === undefined ? null : this.descentOf(openerId)
    remember(this.#windows, targetId, {
      openerId,
      contextId: browserContextId,
      purpose: opener === null ? null : this.#purposeOf(opener),
    })
  }
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.set(key, value)
  for (const oldest of map.keys()) {
    if (map.size <= MAX_WINDOWS) return
    map.delete(oldest)
  }
}

export function targetIdOf(page: Page): string {
  const targetId: unknown = Reflect.get(page.target(), '_targetId')
  if (typeof targetId !== 'string') throw new TypeError('puppeteer has no _targetId any more')
  return targetId
}
