/**
 * `http-request`: one exchange over HTTP without a browser. Every step of a redirect is checked as
 * the first URL was, secrets meant for one host do not follow to another, and no body is read
 * further than its limit.
 */
import { basename } from 'node:path'
import { TroupeError } from '../../common/errors.ts'
import type { HttpRequestPayload, HttpResponse } from '../../task-types/built-in.ts'
import type { PlainTaskContext } from '../../task/context.ts'
import type { TypeGround } from './ground.ts'
import { checkScheme } from './page-request.ts'

export const DEFAULT_REQUEST_TIMEOUT_MS = 30_000
export const DEFAULT_REDIRECTS = 10
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])
/** Meant for the host they were given for. */
const SECRET_HEADERS = ['authorization', 'cookie', 'proxy-authorization']
const BODY_HEADERS = ['content-type', 'content-length', 'content-encoding', 'content-language']

interface Step {
  readonly url: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array | undefined
}

export async function httpRequest(
  context: PlainTaskContext<HttpRequestPayload>,
  { facts }: TypeGround,
): Promise<HttpResponse> {
  const { payload } = context
  const limitMs = payload.timeout ?? DEFAULT_REQUEST_TIMEOUT_MS
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(limitMs)])
  const schemes = facts.schemes.filter((scheme) => scheme !== 'file')
  let step: Step = {
    url: checkScheme(payload.url, schemes),
    method: (payload.method ?? 'GET').toUpperCase(),
    headers: lowerCased(payload.headers ?? {}),
    body: payload.body,
  }
  const most = payload.redirects ?? DEFAULT_REDIRECTS
  for (let redirects = 0; ; redirects++) {
    const answer = await exchange(step, signal)
    const next = most === 0 ? null : redirectOf(answer, step)
    if (next === null) {
      const maxBytes = Math.min(payload.maxBytes ?? Infinity, facts.maxResponseBytes)
      const bytes = await readBody(answer, maxBytes)
      return {
        ...summary(answer, step.url, redirects),
        ...(await present(bytes, step.url, context)),
      }
    }
    await answer.body?.cancel()
    if (redirects >= most) throw failure(`It was redirected more than ${most} times.`)
    checkScheme(next.url, schemes)
    step = next
  }
}

async function exchange({ url, method, headers, body }: Step, signal: AbortSignal) {
  try {
    return await fetch(url, {
      method,
      headers,
      redirect: 'manual',
      signal,
      ...(body === undefined ? {} : { body: body as BodyInit }),
    })
  } catch (error) {
    if (signal.aborted) throw signal.reason
    const { cause } = error as { cause?: unknown }
    const why = cause instanceof Error && cause.message !== '' ? cause : (error as Error)
    throw failure(`${method} ${url.slice(0, 200)}: ${why.message}`, error)
  }
}

/** The next step, or null when the answer is no redirect. */
function redirectOf(answer: Response, { url, method, headers, body }: Step): Step | null {
  const location = answer.headers.get('location')
  if (!REDIRECTS.has(answer.status) || location === null) return null
  if (!URL.canParse(location, url)) throw failure(`It was redirected to no URL: ${location}`)
  const target = new URL(location, url)
  const becomesGet =
    (answer.status === 303 && method !== 'HEAD') || (answer.status < 303 && method === 'POST')
  const dropped = new Set([
    ...(target.origin === new URL(url).origin ? [] : SECRET_HEADERS),
    ...(becomesGet ? BODY_HEADERS : []),
  ])
  const kept = Object.entries(headers).filter(([name]) => !dropped.has(name))
  return {
    url: target.href,
    method: becomesGet ? 'GET' : method,
    headers: Object.fromEntries(kept),
    body: becomesGet ? undefined : body,
  }
}

async function readBody(answer: Response, maxBytes: number): Promise<Buffer> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of answer.body ?? []) {
    bytes += part.byteLength
    // Leaving the loop cancels the stream.
    if (bytes > maxBytes) {
      const message = `The response is larger than ${maxBytes} bytes.`
      throw new TroupeError('TASK_FAILED', message, { retryable: false })
    }
    parts.push(part)
  }
  return Buffer.concat(parts)
}

function summary(answer: Response, url: string, redirects: number) {
  const { status, ok } = answer
  return { url, status, ok, headers: Object.fromEntries(answer.headers), redirects }
}

async function present(
  bytes: Buffer,
  url: string,
  { payload, artifact }: PlainTaskContext<HttpRequestPayload>,
): Promise<Pick<HttpResponse, 'bytes' | 'body' | 'artifact'>> {
  const size = bytes.byteLength
  if (payload.as === 'bytes') {
    const name = payload.name ?? (basename(new URL(url).pathname) || 'response')
    return { bytes: size, body: null, artifact: await artifact(name, bytes) }
  }
  const text = bytes.toString('utf8')
  if (payload.as !== 'json') return { bytes: size, body: text }
  try {
    return { bytes: size, body: JSON.parse(text) as unknown }
  } catch (cause) {
    throw failure(`The response is no JSON: ${(cause as Error).message}`, cause)
  }
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  )
}

function failure(message: string, cause?: unknown): TroupeError {
  return new TroupeError('TASK_FAILED', message, cause === undefined ? {} : { cause })
}
