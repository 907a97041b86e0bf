/**
 * The sessions of a task file, looked over before anything is started for them: what is wrong is
 * said in plain words, with the session's name and never with a secret of it.
 */
import { fileURLToPath } from 'node:url'
import { resolve } from 'node:path'
import {
  DEFAULT_SESSION,
  type ProxySettings,
  type SessionDefinition,
} from '../../task/session-definition.ts'
import type { TabSettings } from '../tab-settings.ts'

export const MAX_SESSIONS = 256
const MAX_SESSION_NAME_CHARS = 256
const MAX_HEADERS = 100
const MAX_SESSION_ARGS = 200
const MAX_VIEWPORT = 16_384

/** A session as the child needs it. */
export interface LoadedSession {
  readonly name: string
  readonly definition: SessionDefinition
  /** Absolute; null: the pool's. */
  readonly baseProfile: string | null
  /** Switches that follow from it. They hold no secret: everybody can read a command line. */
  readonly args: readonly string[]
  readonly tab: TabSettings
}

type Refuse = (problem: string) => never
type Check = (value: unknown) => boolean

const isText: Check = (value) => typeof value === 'string' && value !== ''
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isPlace: Check = (value) => isText(value) || value instanceof URL
const isSide: Check = (value) =>
  Number.isInteger(value) && Number(value) > 0 && Number(value) <= MAX_VIEWPORT

/** What each member must be, in the words of the error. */
const MEMBERS: Readonly<Record<keyof SessionDefinition, readonly [Check, string]>> = {
  login: [(value) => typeof value === 'function', 'a function'],
  check: [(value) => typeof value === 'function', 'a function'],
  checkEvery: [
    (value) => typeof value === 'number' && value >= 0,
    'a number of milliseconds, 0 for before every task',
  ],
  baseProfile: [isPlace, 'the path of a folder'],
  storageState: [(value) => isPlace(value) || isRecord(value), 'an object or the path of a file'],
  proxy: [isProxy, "'http://host:port' or { server, bypass?, username?, password? }"],
  args: [
    (value) => Array.isArray(value) && value.length <= MAX_SESSION_ARGS && value.every(isText),
    `an array of at most ${MAX_SESSION_ARGS} switches`,
  ],
  headers: [isHeaders, `an object of at most ${MAX_HEADERS} header names with their values`],
  viewport: [
    (value) => isRecord(value) && isSide(value['width']) && isSide(value['height']),
    `{ width, height }, whole numbers from 1 to ${MAX_VIEWPORT}`,
  ],
  userAgent: [isText, 'a string'],
  locale: [(value) => isText(value) && /^[\w-]+$/.test(String(value)), "a language, as 'de-DE'"],
  isolation: [(value) => value === 'session' || value === 'context', "'session' or 'context'"],
}

/**
 * The sessions by name; `default` is always among them.
 *
 * @param url of the task file: paths are relative to it.
 */
export function sessionsOf(
  defined: Readonly<Record<string, unknown>>,
  url: string,
  refuse: Refuse,
): ReadonlyMap<string, LoadedSession> {
  const { session = null, sessions = {} } = defined
  if (!isRecord(sessions)) return refuse('has sessions that are not an object of names')
  const names = Object.keys(sessions)
  if (names.length > MAX_SESSIONS) refuse(`has more than ${MAX_SESSIONS} sessions`)
  if (session !== null && names.includes(DEFAULT_SESSION)) {
    refuse(`has two sessions "${DEFAULT_SESSION}": session is that one; leave one of them out`)
  }
  const loaded = new Map([[DEFAULT_SESSION, load(DEFAULT_SESSION, session ?? {}, url, refuse)]])
  for (const name of names) {
    if (name === '' || name.length > MAX_SESSION_NAME_CHARS) {
      refuse(`has a session whose name is not 1 to ${MAX_SESSION_NAME_CHARS} characters long`)
    }
    loaded.set(name, load(name, sessions[name], url, refuse))
  }
  return loaded
}

function load(name: string, value: unknown, url: string, refuse: Refuse): LoadedSession {
  const whose = name === DEFAULT_SESSION ? 'a session' : `a session "${name}"`
  if (!isRecord(value)) return refuse(`has ${whose} that is not an object`)
  for (const [member, given] of Object.entries(value)) {
    const known = MEMBERS[member as keyof SessionDefinition]
    if (known === undefined) {
      const members = Object.keys(MEMBERS).join(', ')
      return refuse(`has ${whose} with an unknown member "${member}". Known are: ${members}.`)
    }
    const [isRight, rule] = known
    if (given !== undefined && !isRight(given)) {
      refuse(`has ${whose} whose ${member} is not ${rule}.`)
    }
  }
  const definition = value as SessionDefinition
  const { baseProfile, viewport = null, headers = {} } = definition
  const proxy = proxyOf(definition)
  return {
    name,
    definition,
    baseProfile: baseProfile === undefined ? null : pathOf(baseProfile, url),
    args: argsOf(definition, proxy),
    tab: { headers, viewport, credentials: credentialsOf(proxy) },
  }
}

/** A path as the task file means it: relative to itself. */
export function pathOf(place: string | URL, url: string): string {
  if (place instanceof URL) return fileURLToPath(place)
  if (place.startsWith('file:')) return fileURLToPath(place)
  return url.startsWith('file:') ? resolve(fileURLToPath(new URL('.', url)), place) : resolve(place)
}

function argsOf(definition: SessionDefinition, proxy: ProxySettings | null): string[] {
  const { userAgent, locale, args = [] } = definition
  return [
    ...(proxy === null ? [] : [`--proxy-server=${proxy.server}`]),
    ...(proxy?.bypass === undefined ? [] : [`--proxy-bypass-list=${proxy.bypass}`]),
    ...(userAgent === undefined ? [] : [`--user-agent=${userAgent}`]),
    ...(locale === undefined ? [] : [`--lang=${locale}`, `--accept-lang=${locale}`]),
    ...args,
  ]
}

function proxyOf({ proxy }: SessionDefinition): ProxySettings | null {
  if (proxy === undefined) return null
  return typeof proxy === 'string' ? { server: proxy } : proxy
}

function credentialsOf(proxy: ProxySettings | null): TabSettings['credentials'] {
  if (proxy?.username === undefined) return null
  return { username: proxy.username, password: proxy.password ?? '' }
}

function isProxy(value: unknown): boolean {
  if (isText(value)) return true
  if (!isRecord(value) || !isText(value['server'])) return false
  const rest = ['bypass', 'username', 'password'].map((member) => value[member])
  return rest.every((member) => member === undefined || typeof member === 'string')
}

function isHeaders(value: unknown): boolean {
  if (!isRecord(value)) return false
  const entries = Object.entries(value)
  const isHeader = ([name, text]: [string, unknown]) =>
    /^[\w!#$%&'*+.^`|~-]+$/.test(name) && typeof text === 'string' && !/[\r\n\0]/.test(text)
  return entries.length <= MAX_HEADERS && entries.every(isHeader)
}
