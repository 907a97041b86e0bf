/**
 * Cookies and localStorage as data: read from a task file's object or from a JSON file that
 * Playwright or a script has written, checked before a browser sees any of it. No value of it ever
 * gets into a message.
 */
import { readFile, stat } from 'node:fs/promises'
import { TroupeError } from '../../common/errors.ts'
import type { StorageState, StoredCookie } from '../../task/session-definition.ts'
import { type LoadedSession, pathOf } from './session-file.ts'
import { MAX_ORIGINS } from '../browser/web-storage.ts'

const MAX_STATE_BYTES = 16 * 1024 * 1024
const MAX_COOKIES = 10_000

/**
 * What the session's browser begins with; null for nothing.
 *
 * @param url of the task file.
 * @throws TroupeError WORKER_START_FAILED, not retryable, naming what is wrong where.
 */
export async function storageStateOf(
  { name, definition }: LoadedSession,
  url: string,
): Promise<StorageState | null> {
  const { storageState } = definition
  if (storageState === undefined) return null
  if (typeof storageState !== 'string' && !(storageState instanceof URL)) {
    return checked(storageState, (problem) => refuse(`session "${name}": storageState ${problem}`))
  }
  const path = pathOf(storageState, url)
  const fail = (problem: string, cause?: unknown) =>
    refuse(`session "${name}": the storage state ${path} ${problem}`, cause)
  const text = await readText(path, fail)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The parser's own message quotes the file.
    return fail('is no JSON')
  }
  return checked(value, fail)
}

type Fail = (problem: string, cause?: unknown) => never

async function readText(path: string, fail: Fail): Promise<string> {
  try {
    const { size } = await stat(path)
    if (size > MAX_STATE_BYTES) fail(`has ${size} bytes, ${MAX_STATE_BYTES} are allowed`)
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof TroupeError) throw error
    return fail(`cannot be read: ${Reflect.get(Object(error), 'code')}.`, error)
  }
}

function checked(value: unknown, fail: Fail): StorageState {
  const { cookies = [], origins = [] } = isRecord(value) ? value : fail('is no object')
  if (!Array.isArray(cookies) || cookies.length > MAX_COOKIES) {
    return fail(`has no list of at most ${MAX_COOKIES} cookies`)
  }
  if (!Array.isArray(origins) || origins.length > MAX_ORIGINS) {
    return fail(`has no list of at most ${MAX_ORIGINS} origins`)
  }
  for (const [index, cookie] of cookies.entries()) {
    if (!isCookie(cookie)) fail(`has a cookie (number ${index + 1}) without name, value or domain`)
  }
  for (const [index, origin] of origins.entries()) {
    if (!isOrigin(origin)) fail(`has an origin (number ${index + 1}) that is none`)
  }
  return {
    cookies,
    // Playwright leaves localStorage out where an origin has none.
    origins: origins.map(({ origin, localStorage = [] }) => ({ origin, localStorage })),
  }
}

function isCookie(value: unknown): value is StoredCookie {
  if (!isRecord(value)) return false
  const { name, domain, path, expires } = value
  return (
    typeof name === 'string' &&
    typeof value['value'] === 'string' &&
    typeof domain === 'string' &&
    domain !== '' &&
    (path === undefined || typeof path === 'string') &&
    (expires === undefined || typeof expires === 'number')
  )
}

function isOrigin(value: unknown): boolean {
  if (!isRecord(value) || typeof value['origin'] !== 'string') return false
  const items = value['localStorage'] ?? []
  return (
    /^https?:\/\//.test(value['origin']) &&
    URL.canParse(value['origin']) &&
    Array.isArray(items) &&
    items.every((item) => isRecord(item) && isText(item['name']) && isText(item['value']))
  )
}

function isText(value: unknown): boolean {
  return typeof value === 'string'
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function refuse(problem: string, cause?: unknown): never {
  throw new TroupeError('WORKER_START_FAILED', problem, { cause, retryable: false })
}
