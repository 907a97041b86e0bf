/**
 * On whose behalf a page has asked for documents since its first download by an action. A link with
 * the attribute `download` is told of nowhere else before its file begins. Requests are only looked
 * at on their way out: nothing about them is changed.
 */
import { setTimeout } from 'node:timers/promises'
import type { CDPSession, Page, Protocol } from 'puppeteer-core'

/** Requests of one page that are remembered, the newest. */
const MAX_REQUESTS = 1_000

/** So long after an action that failed a request of the page may still be its. */
const LAST_REQUEST_MS = 1_000

type Asker = 'own' | 'other' | 'unknown'

export class RequestLog<Turn extends object> {
  readonly #page: Page
  #session: Promise<CDPSession> | null = null
  #turn: Turn | null = null
  /** Whose turn it was, by the id of the request. */
  readonly #requests = new Map<string, Turn | null>()
  /** All whose turn it was when the address was asked for. */
  readonly #askers = new Map<string, Set<Turn | null>>()
  /** A turn has failed: something that it began may still come. */
  isDoubtful = false

  constructor(page: Page) {
    this.#page = page
  }

  /** From now on what the page asks for is on behalf of `turn`. */
  async begin(turn: Turn): Promise<void> {
    this.#session ??= this.#listen()
    await this.#session
    this.#turn = turn
  }

  /**
   * Ends the turn and resolves when the next may begin: an action may outlast the wait for its file,
   * and its last request is told of a moment after it.
   */
  async ended(answer: Promise<unknown>, action: Promise<unknown>): Promise<void> {
    const isAnswered = await succeeds(answer)
    await succeeds(action)
    if (!isAnswered) {
      this.isDoubtful = true
      await setTimeout(LAST_REQUEST_MS)
    }
    this.#turn = null
  }

  /** On whose behalf the page has asked for the file at this address. */
  askerOf(url: string, turn: Turn): Asker {
    const askers = this.#askers.get(withoutFragment(url))
    if (askers === undefined) return 'unknown'
    return askers.has(turn) ? 'own' : 'other'
  }

  close(): void {
    const session = this.#session
    this.#session = null
    // It may have gone with its page.
    session?.then((one) => one.detach()).catch(() => undefined)
  }

  async #listen(): Promise<CDPSession> {
    // Not the page's own call: a task that makes a session is told to have changed the page.
    const session = await this.#page.target().createCDPSession()
    session.on('Fetch.requestPaused', (event) => {
      this.#note(event)
      const { requestId } = event
      session.send('Fetch.continueRequest', { requestId }).catch(() => undefined)
    })
    await session.send('Fetch.enable', {
      patterns: [{ urlPattern: '*', resourceType: 'Document', requestStage: 'Request' }],
    })
    return session
  }

  #note(event: Protocol.Fetch.RequestPausedEvent): void {
    const { requestId, redirectedRequestId = '', request } = event
    // Where a request is led on to belongs to whoever sent it, however late.
    const before = this.#requests.get(redirectedRequestId)
    const turn = before === undefined ? this.#turn : before
    remember(this.#requests, requestId, turn)
    const url = withoutFragment(request.url)
    remember(this.#askers, url, (this.#askers.get(url) ?? new Set()).add(turn))
  }
}

function succeeds(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  )
}

function withoutFragment(url: string): string {
  return url.replace(/#.*$/, '')
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key)
  map.set(key, value)
  const [oldest] = map.keys()
  if (map.size > MAX_REQUESTS && oldest !== undefined) map.delete(oldest)
}
