/**
 * Downloads a URL whatever its type. A navigation to a CSV, an XML or a PDF file shows it instead of downloading it,
 * and one to an attachment fails with net::ERR_ABORTED; here the answer is turned into an attachment on its way in, so
 * that both are a download, with the session's cookies, and the page stays where it is.
 */
import type { CDPSession, Protocol } from 'puppeteer-core'
import { TroupeError } from '../errors.ts'

const ABORTED = 'net::ERR_ABORTED'

/** Resolves once `done` has settled. Rejects when the server refuses, or can't be reached. */
export async function forceDownload(
  session: CDPSession,
  url: string,
  done: Promise<void>,
): Promise<void> {
  const refused = Promise.withResolvers<never>()
  refused.promise.catch(() => undefined)
  const onPaused = (event: Protocol.Fetch.RequestPausedEvent): void => {
    answer(session, event, url).catch(refused.reject)
  }
  session.on('Fetch.requestPaused', onPaused)
  try {
    await session.send('Fetch.enable', {
      patterns: [{ urlPattern: '*', resourceType: 'Document', requestStage: 'Response' }],
    })
    const navigated = session.send('Page.navigate', { url }).then(({ errorText }) => {
      if (errorText !== undefined && errorText !== ABORTED) throw failed(url, errorText)
      return done
    })
    await Promise.race([navigated, refused.promise])
  } finally {
    session.off('Fetch.requestPaused', onPaused)
    await session.send('Fetch.disable').catch(() => undefined)
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
  await session.send('Fetch.continueResponse', {
    requestId,
    responseCode: status,
    responseHeaders: asAttachment(headers),
  })
}

/** A file name that the server gives is kept. */
function asAttachment(headers: Protocol.Fetch.HeaderEntry[]): Protocol.Fetch.HeaderEntry[] {
  const name = 'content-disposition'
  const given = headers.find((header) => header.name.toLowerCase() === name)?.value ?? ''
  const value = /^\s*inline\b/i.test(given) ? given.replace(/inline/i, 'attachment') : given
  const others = headers.filter((header) => header.name.toLowerCase() !== name)
  return [...others, { name, value: value === '' ? 'attachment' : value }]
}

function failed(url: string, why: string): TroupeError {
  return new TroupeError('TASK_FAILED', `The download of ${url} failed: ${why}.`)
}
