/**
 * Downloads a URL whatever its type. A navigation to a CSV, an XML or a PDF file shows it instead of downloading it,
 * and one to an attachment fails with net::ERR_ABORTED; here the answer is turned into an attachment on its way in, so
 * that both are a download, with the session's cookies. It has a window of its own for that.
 */
import type { CDPSession, Protocol } from 'puppeteer-core'
import { TroupeError } from '../../common/errors.ts'

const ABORTED = 'net::ERR_ABORTED'
/** The `code` of the cause, when a redirect led to a page instead of a file. */
const REDIRECTED = 'DOWNLOAD_REDIRECTED'
const PAGE_TYPE = /^\s*(text\/html|application\/xhtml\+xml)\b/i
const PAGE_NAME = /\.x?html?$/i

/** What the server said of the file. */
interface FileAnswer {
  readonly contentType: string | undefined
}

/** The window in which it begins. */
interface Place {
  /** Of the window, and of its main frame. */
  readonly id: string
  readonly session: CDPSession
  /** For a server, or a proxy, that asks. */
  readonly credentials: { readonly username: string; readonly password: string } | null
}

/**
 * Resolves once `done` has settled, null if nothing was heard of the file. Rejects when the server
 * refuses, can't be reached, or leads to a page where no page was asked for.
 */
export async function forceDownload(
  { id, session, credentials }: Place,
  url: string,
  done: Promise<void>,
): Promise<FileAnswer | null> {
  const refused = Promise.withResolvers<never>()
  refused.promise.catch(() => undefined)
  let heard: FileAnswer | null = null
  const onPaused = (event: Protocol.Fetch.RequestPausedEvent): void => {
    // An icon, say, is none of it.
    if (event.frameId !== id) {
      const { requestId } = event
      session.send('Fetch.continueRequest', { requestId }).catch(() => undefined)
      return
    }
    heard = { contentType: headerOf(event, 'content-type') }
    answer(session, event, url).catch(refused.reject)
  }
  const asked = new Set<string>()
  const onAuth = ({ requestId }: Protocol.Fetch.AuthRequiredEvent): void => {
    // Asked again: they were wrong.
    const isNew = credentials !== null && !asked.has(requestId)
    asked.add(requestId)
    const authChallengeResponse = isNew
      ? ({ response: 'ProvideCredentials', ...credentials } as const)
      : ({ response: 'CancelAuth' } as const)
    session
      .send('Fetch.continueWithAuth', { requestId, authChallengeResponse })
      .catch(() => undefined)
  }
  session.on('Fetch.requestPaused', onPaused)
  session.on('Fetch.authRequired', onAuth)
  try {
    await session.send('Fetch.enable', {
      handleAuthRequests: credentials !== null,
      patterns: [{ urlPattern: '*', resourceType: 'Document', requestStage: 'Response' }],
    })
    const navigated = session.send('Page.navigate', { url }).then(({ errorText }) => {
      if (errorText !== undefined && errorText !== ABORTED) throw failed(url, errorText)
      return done
    })
    await Promise.race([navigated, refused.promise])
    return heard
  } finally {
    session.off('Fetch.requestPaused', onPaused)
    session.off('Fetch.authRequired', onAuth)
  }
}

async function answer(
  session: CDPSession,
  event: Protocol.Fetch.RequestPausedEvent,
  url: string,
): Promise<void> {
  const { requestId, responseStatusCode: status = 0, responseHeaders: headers = [] } = event
  if (event.responseErrorReason !== undefined || (status >= 300 && status < 400)) {
    await session.send('Fetch.continueRequest', { requestId })
    return
  }
  if (status >= 400) {
    await session.send('Fetch.failRequest', { requestId, errorReason: 'Aborted' })
    throw failed(url, `HTTP ${status}`)
  }
  if (isPageInstead(event, url)) {
    await session.send('Fetch.failRequest', { requestId, errorReason: 'Aborted' })
    throw ledAstray(url, event.request.url, headerOf(event, 'content-type'))
  }
  await session.send('Fetch.continueResponse', {
    requestId,
    responseCode: status,
    responseHeaders: asAttachment(headers),
  })
}

/** A login form, most often: a redirect has led to a page that nobody asked for. */
function isPageInstead(event: Protocol.Fetch.RequestPausedEvent, asked: string): boolean {
  const { url } = event.request
  return (
    withoutFragment(url) !== withoutFragment(new URL(asked).href) &&
    PAGE_TYPE.test(headerOf(event, 'content-type') ?? '') &&
    headerOf(event, 'content-disposition') === undefined &&
    !PAGE_NAME.test(new URL(asked).pathname)
  )
}

function ledAstray(asked: string, url: string, contentType: string | undefined): TroupeError {
  const what = `it was led to ${url}, a page and not a file. If that is a login, say session.expired()`
  const cause = Object.assign(new Error('a redirect led to a page'), {
    code: REDIRECTED,
    url,
    contentType,
  })
  return failed(asked, what, cause)
}

function withoutFragment(url: string): string {
  return url.replace(/#.*$/, '')
}

function headerOf(event: Protocol.Fetch.RequestPausedEvent, name: string): string | undefined {
  return event.responseHeaders?.find((header) => header.name.toLowerCase() === name)?.value
}

/** A file name that the server gives is kept. */
function asAttachment(headers: Protocol.Fetch.HeaderEntry[]): Protocol.Fetch.HeaderEntry[] {
  const name = 'content-disposition'
  const given = headers.find((header) => header.name.toLowerCase() === name)?.value ?? ''
  const value = /^\s*inline\b/i.test(given) ? given.replace(/inline/i, 'attachment') : given
  const others = headers.filter((header) => header.name.toLowerCase() !== name)
  return [...others, { name, value: value === '' ? 'attachment' : value }]
}

function failed(url: string, why: string, cause?: Error): TroupeError {
  return new TroupeError('TASK_FAILED', `the download of ${url} failed: ${why}.`, { cause })
}
