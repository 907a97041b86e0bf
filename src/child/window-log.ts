/**
 * Which windows a browser has opened of late, by whom and in which context: a download that begins
 * in a window of its own is told of by that window alone, and it is gone by the next moment.
 */
import type { CDPSession, Page, Protocol } from 'puppeteer-core'

/** Windows that are remembered, the newest. */
export const MAX_WINDOWS = 1_000

type TargetInfo = Protocol.Target.TargetInfo
/** Not all of it: an address may be megabytes long. */
type Origin = Pick<TargetInfo, 'openerId' | 'browserContextId'>

/** How a window belongs to a page. */
export type Kinship = 'opened' | 'sameContext' | 'none' | 'unknown'

export class WindowLog {
  private readonly windows = new Map<string, Origin>()

  /** `session`: any of the browser; what puppeteer hears of targets is heard here too. */
  constructor(session: CDPSession) {
    session.connection()?.on('Target.targetCreated', ({ targetInfo }) => this.note(targetInfo))
  }

  /** `id`: of a window, which is also that of its main frame. */
  kinshipOf(id: string, page: Page): Kinship {
    const window = this.windows.get(id)
    if (window === undefined) return 'unknown'
    const pageId = targetIdOf(page)
    // A window may have been opened by a window.
    const seen = new Set<string>()
    for (let opener = window.openerId; opener !== undefined && !seen.has(opener); ) {
      if (opener === pageId) return 'opened'
      seen.add(opener)
      opener = this.windows.get(opener)?.openerId
    }
    if (window.openerId !== undefined) return 'none'
    const { id: contextId } = page.browserContext()
    const isSame = contextId === undefined || window.browserContextId === contextId
    return isSame ? 'sameContext' : 'none'
  }

  private note({ type, targetId, openerId, browserContextId }: TargetInfo): void {
    if (type !== 'page') return
    const origin: Origin = {}
    if (openerId !== undefined) origin.openerId = openerId
    if (browserContextId !== undefined) origin.browserContextId = browserContextId
    this.windows.set(targetId, origin)
    for (const oldest of this.windows.keys()) {
      if (this.windows.size <= MAX_WINDOWS) return
      this.windows.delete(oldest)
    }
  }
}

export function targetIdOf(page: Page): string {
  const targetId: unknown = Reflect.get(page.target(), '_targetId')
  if (typeof targetId !== 'string') throw new TypeError('puppeteer has no _targetId any more.')
  return targetId
}
