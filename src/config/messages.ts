/**
 * Says what is wrong with a pool's options: one line a field, with the value seen and, for a name
 * that does not exist, the name that was probably meant. It only reads; a hostile input costs a
 * line, never a crash.
 */
import type { z } from 'zod'
import { poolSchema } from './schema.ts'
import { describeValue } from '../common/checks.ts'

type Issue = z.core.$ZodIssue
type Path = readonly PropertyKey[]

/** More lines than this help nobody. */
const MAX_LINES = 20
const MAX_NAME_SHOWN = 60

/** What other pools call it. */
const FOREIGN_NAMES: Readonly<Record<string, string>> = {
  concurrency: 'workers or concurrentTasksPerWorker',
  maxConcurrency: 'maxWorkers or concurrentTasksPerWorker',
  poolSize: 'workers',
  size: 'workers',
  min: 'minWorkers',
  max: 'maxWorkers',
  minThreads: 'minWorkers',
  maxThreads: 'maxWorkers',
  retries: 'task.attempts (retries + 1)',
  retryLimit: 'task.attempts (retryLimit + 1)',
  retryDelay: 'task.backoff.delay',
  taskFile: 'tasks',
  filename: 'tasks',
  puppeteerOptions: 'browser',
  launchOptions: 'browser',
  userDataDir: 'browser.baseProfile',
  maxRetries: 'task.attempts (maxRetries + 1)',
}

/** The issues as lines such as `task.attempts must be a whole number from 1 to 100; got 0`. */
export function describeIssues(issues: readonly Issue[], input: unknown): string[] {
  const lines = new Map<string, string>()
  for (const issue of issues) {
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) {
        const name = nameOf([...issue.path, key])
        lines.set(name, `${name} is not an option${suggestion(issue.path, key)}`)
      }
      continue
    }
    const name = nameOf(issue.path)
    if (!lines.has(name)) lines.set(name, `${name} ${issue.message}${seen(input, issue.path)}`)
  }
  const all = [...lines.values()]
  if (all.length <= MAX_LINES) return all
  return [...all.slice(0, MAX_LINES), `… and ${all.length - MAX_LINES} more`]
}

function nameOf(path: Path): string {
  if (path.length === 0) return 'options'
  let name = ''
  for (const part of path) {
    if (typeof part === 'number') name += `[${part}]`
    else name += `${name === '' ? '' : '.'}${clip(String(part))}`
  }
  return name
}

function clip(text: string): string {
  return text.length > MAX_NAME_SHOWN ? `${text.slice(0, MAX_NAME_SHOWN)}…` : text
}

function seen(input: unknown, path: Path): string {
  let value = input
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) {
      return '; it is missing'
    }
    value = (value as Record<PropertyKey, unknown>)[part]
  }
  return `; got ${describeValue(value)}`
}

function suggestion(path: Path, key: string): string {
  const siblings = namesAt(path)
  const near = nearest(key, siblings)
  if (near !== null) return `; did you mean ${nameOf([...path, near])}?`
  const elsewhere = SECTIONS.find((section) => namesAt(section).includes(key))
  if (elsewhere) return `; it belongs elsewhere: ${nameOf([...elsewhere, key])}`
  if (Object.hasOwn(FOREIGN_NAMES, key)) return `; here it is ${FOREIGN_NAMES[key]}`
  return `; these are: ${siblings.join(', ')}`
}

const SECTIONS: readonly Path[] = [
  [],
  ['task'],
  ['task', 'backoff'],
  ['browser'],
  ['restart'],
  ['taskTypes'],
  ['taskTypes', 'limits'],
]

function namesAt(path: Path): readonly string[] {
  let schema: unknown = poolSchema
  for (const part of path) schema = shapeOf(schema)?.[String(part)]
  return Object.keys(shapeOf(schema) ?? {})
}

/** The fields of an object schema, through its wrappers; of a union, those of its object. */
function shapeOf(schema: unknown): Record<string, unknown> | null {
  let inner = schema as
    | { def?: { innerType?: unknown }; shape?: Record<string, unknown> }
    | undefined
  while (inner?.def?.innerType !== undefined) inner = inner.def.innerType as typeof inner
  const among = (inner?.def as { options?: readonly unknown[] } | undefined)?.options ?? []
  return inner?.shape ?? among.map(shapeOf).find((shape) => shape !== null) ?? null
}

/** The closest known name, if it is close: a slip of the finger, not another word. */
function nearest(name: string, known: readonly string[]): string | null {
  if (name.length > MAX_NAME_SHOWN) return null
  let best: string | null = null
  let bestDistance = Math.max(1, Math.floor(name.length / 3)) + 1
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase())
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const substitution = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1)
      const insertion = (current[column - 1] ?? 0) + 1
      const deletion = (previous[column] ?? 0) + 1
      current[column] = Math.min(substitution, insertion, deletion)
    }
    previous = current
  }
  return previous[b.length] ?? 0
}
