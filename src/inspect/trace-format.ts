/**
 * What a trace is made of: one JSON object a line. First a header, then for each actor the state it
 * was met in, then every step it took, and an end. It says what is kept and what is cut; it writes
 * and judges nothing.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'
import type { StateValue } from 'xstate'
import { type MachineId, machines } from '../../machines/index.ts'

/** Grows with every change that an older reader would take for something else. */
export const TRACE_FORMAT = 1
/** Of an event or a command, longer texts are cut, longer lists shortened, deeper data left out. */
export const MAX_TEXT = 1_000
export const MAX_ITEMS = 512
export const MAX_DEPTH = 8
const HASH_LENGTH = 16
const CUT = '…'
/** What a handler is given is opaque to the machines, and stacks name the user's folders. */
const LEFT_OUT: ReadonlySet<string> = new Set(['order', 'stack'])

export interface TraceHeader {
  /** Troupe's version. */
  readonly troupe: string
  readonly format: number
  /** A hash of each machine's structure. */
  readonly machines: Readonly<Record<string, string>>
  readonly startedAt: string
}

/** The first line of a trace, or of a part of one. */
export interface TraceOpening extends TraceHeader {
  /** The number of the line that comes next. */
  readonly first: number
}

export interface TraceCommand {
  readonly type: string
  readonly params?: unknown
}

interface Numbered {
  /** From 1, without gaps. */
  readonly seq: number
  /** Milliseconds since the pool was made. */
  readonly ms: number
}

/** An actor, as it stands when the trace first meets it. */
export interface TraceActor extends Numbered {
  readonly actor: string
  readonly machine: MachineId
  readonly value: StateValue
  readonly context: unknown
  /** The states it remembers of regions it has left, by id. */
  readonly history: Readonly<Record<string, readonly string[]>>
}

/** One event and all that an actor did about it. */
export interface TraceStep extends Numbered {
  readonly actor: string
  readonly event: { readonly type: string; readonly [fact: string]: unknown }
  readonly from: StateValue
  readonly to: StateValue
  readonly commands: readonly TraceCommand[]
}

/** Nothing was left unwritten here: the pool is at rest, or is no more, or the file was full. */
export interface TraceEnd extends Numbered {
  readonly end: 'idle' | 'stopped' | 'continued'
}

export type TraceLine = TraceActor | TraceStep | TraceEnd

/** A value as it is recorded. What was recorded once is recorded the same again. */
export function bounded(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') {
    return value.length <= MAX_TEXT ? value : `${value.slice(0, MAX_TEXT - 1)}${CUT}`
  }
  if (typeof value !== 'object' || value === null) {
    return typeof value === 'bigint' || typeof value === 'symbol' ? String(value) : value
  }
  if (depth === MAX_DEPTH) return CUT
  if (Array.isArray(value)) {
    return value.slice(0, MAX_ITEMS).map((item) => bounded(item, depth + 1))
  }
  const kept: Record<string, unknown> = {}
  for (const [key, inner] of Object.entries(value)) {
    if (!LEFT_OUT.has(key)) kept[key] = bounded(inner, depth + 1)
  }
  return kept
}

/** A command is named `subject.verb`; XState's own actions are not the machine's words. */
export function isCommand(type: string): boolean {
  return type.includes('.') && !type.startsWith('xstate.')
}

let hashes: Readonly<Record<MachineId, string>> | null = null

/**
 * A hash of each machine's structure: states, events, targets, and the names of guards, actions and
 * delays. What a function computes is not in it: a replay shows that.
 */
export function machineHashes(): Readonly<Record<MachineId, string>> {
  hashes ??= Object.fromEntries(
    Object.entries(machines).map(([id, { config }]) => {
      const text = JSON.stringify(config, (_, value: unknown) =>
        typeof value === 'function' ? '()' : value,
      )
      return [id, createHash('sha256').update(text).digest('hex').slice(0, HASH_LENGTH)]
    }),
  ) as Record<MachineId, string>
  return hashes
}

let version: string | null = null

/** Troupe's own version, from its package. */
export function troupeVersion(): string {
  if (version !== null) return version
  const file = findPackageJSON(import.meta.url)
  if (file === undefined) throw new Error('the package of troupe has no package.json')
  version = (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
  return version
}

export function traceHeader(wallMs: number): TraceHeader {
  return {
    troupe: troupeVersion(),
    format: TRACE_FORMAT,
    machines: machineHashes(),
    startedAt: new Date(wallMs).toISOString(),
  }
}
