/**
 * Whose a file is that a browser begins: by the window of its own that a URL has, by the page that an action works on,
 * or by a window that page has opened meanwhile. Where that can't be said, nobody gets it, and who waits is told so.
 */
import type { CDPSession, Page } from 'puppeteer-core'
import { downloadError } from './download-errors.ts'
import type { DownloadTicket } from './download-ticket.ts'
import { succeeds } from '../time-limit.ts'
import { type Descent, targetIdOf, WindowLog } from './window-log.ts'

type Lineage = Descent<DownloadTicket>

/** To look for a frame in all windows. */
const LOOK_LIMIT_MS = 2_000

export class DownloadOwners {
  readonly #tickets = new Set<DownloadTicket>()
  /** Of our own. */
  readonly #tabs = new Set<Page>()
  readonly #windows: WindowLog<DownloadTicket>

  constructor(session: CDPSession) {
    this.#windows = new WindowLog(session, (opener) => this.#actingOn(opener))
  }

  addTab(page: Page, client: CDPSession): void {
    this.#tabs.add(page)
    this.#windows.watch(page, client)
  }

  removeTab(page: Page): void {
    this.#tabs.delete(page)
  }

  add(ticket: DownloadTicket): void {
    this.#tickets.add(ticket)
  }

  has(ticket: DownloadTicket): boolean {
    return this.#tickets.has(ticket)
  }

  remove(ticket: DownloadTicket): void {
    this.#tickets.delete(ticket)
  }

  of(owner: Page): DownloadTicket[] {
    return [...this.#tickets].filter((ticket) => ticket.owner === owner)
  }

  /** Null: nobody's. At once, unless all windows must be asked for the frame. */
  ownerOf(frameId: string, url: string): DownloadTicket | null | Promise<DownloadTicket | null> {
    for (const ticket of this.#tickets) {
      if ('windowId' in ticket.target && ticket.target.windowId === frameId) return ticket
    }
    if (this.#acting().length === 0) return null
    const descent = this.#windows.descentOf(frameId)
    if (descent !== null) return this.#heir(descent, url)
    return this.#windowOf(frameId).then((id) =>
      this.#heir((id === null ? null : this.#windows.descentOf(id)) ?? UNKNOWN, url),
    )
  }

  #acting(): DownloadTicket[] {
    return [...this.#tickets].filter(({ target }) => 'page' in target)
  }

  /** That works on one of the windows, the nearest first. What an earlier one has opened is not another's. */
  #actingOn({ ids, purposes }: Lineage): DownloadTicket | null {
    for (const [index, id] of ids.entries()) {
      const ticket = this.#acting().find(({ target }) => pageIdOf(target) === id)
      if (ticket !== undefined) return ticket
      const purpose = purposes[index] ?? null
      if (purpose !== null) return purpose
    }
    return null
  }

  #heir(lineage: Lineage, url: string): DownloadTicket | null {
    const acting = this.#actingOn(lineage)
    const { ids, contextId } = lineage
    if (acting !== null) {
      if (!this.#tickets.has(acting)) return null
      return pageIdOf(acting.target) === ids[0] ? unlessLate(acting, url) : acting
    }
    if ([...this.#tabs].some((page) => ids.includes(targetIdOf(page)))) return null
    const isNear = (page: Page): boolean =>
      contextId === undefined || (page.browserContext().id ?? contextId) === contextId
    const near = this.#acting().filter(({ owner }) => isNear(owner))
    const [only] = near
    if (only === undefined) return null
    if (near.length === 1 && [...this.#tabs].filter(isNear).length === 1) {
      return unlessLate(only, url)
    }
    for (const ticket of near) {
      ticket.reject(downloadError(UNNAMED, { code: 'DOWNLOAD_AMBIGUOUS' }))
    }
    return null
  }

  /** Looks for the frame in every window that puppeteer knows: one in a popup's own frame is told of there alone. */
  async #windowOf(frameId: string): Promise<string | null> {
    let found: string | null = null
    const look = async (page: Page): Promise<void> => {
      const pages = await page.browserContext().pages()
      const holder = pages.find((one) => one.frames().some((frame) => idOf(frame) === frameId))
      if (holder !== undefined) found = targetIdOf(holder)
    }
    const looked = Promise.all(this.#acting().map(({ owner }) => look(owner)))
    await succeeds(LOOK_LIMIT_MS, looked)
    return found
  }
}

const UNNAMED =
  'A download began in a window that no waiting action is known to have opened. ' +
  'Say which page an action works on: download(action, { page }).'
const UNKNOWN: Lineage = { ids: [], purposes: [], contextId: undefined }

const DOUBTFUL =
  'A download began on a page where an earlier action had failed, and it may be of that one. ' +
  'Let the task fail, or act on a page of its own: download(action, { page }).'

/** Not of a file that the page had asked for before the action, and of none where that may be. */
function unlessLate(ticket: DownloadTicket, url: string): DownloadTicket | null {
  if (!('requests' in ticket.target)) return ticket
  const { requests } = ticket.target
  const asker = requests.askerOf(url, ticket)
  if (asker === 'own' || (asker === 'unknown' && !requests.isDoubtful)) return ticket
  if (asker === 'other') ticket.passOver()
  else ticket.reject(downloadError(DOUBTFUL, { code: 'DOWNLOAD_AMBIGUOUS' }))
  return null
}

function pageIdOf(target: DownloadTicket['target']): string | null {
  return 'page' in target ? targetIdOf(target.page) : null
}

function idOf(frame: object): unknown {
  return Reflect.get(frame, '_id')
}
