/**
 * Who imports whom below machines/ and src/: circles, folders that import each other, and names that
 * are exported and used in no other file. It reads texts only and starts nothing.
 */
import { posix } from 'node:path'
import { isBelow, isSource, type SourceFile, withoutComments } from './tidy-files.ts'

interface Edge {
  readonly from: string
  readonly to: string
  readonly isTypeOnly: boolean
  /** Names taken from it; null: it may be any. */
  readonly names: readonly string[] | null
}

const STATEMENT =
  /^(import|export)\s+(type\s+)?(?:(\*(?:\s+as\s+\w+)?|[\w$]+)\s+from\s+|\{([^}]*)\}\s+from\s+)?['"]([^'"]+)['"]/gm
const LOADED =
  /\b(?:import|import\.meta\.resolve)\(\s*['"]([^'"]+)['"]|new URL\(\s*['"]([^'"]+)['"]/g
const EXPORTED =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:class|const|function\*?|interface|type|let|enum) ([\w$]+)/gm
/** Read from outside, by path or as the package. */
const ENTRIES = /^src\/(index|tasks|testing\/index|cli\/main|child\/(entry|in-process))\.ts$/
/** Loaded by path, as a user's files are. */
const LOADED_BY_PATH = /^test\/(fixtures|process|behaviour|field|bench)\//

export class ImportGraph {
  readonly #files: ReadonlyMap<string, SourceFile>
  readonly #edges: readonly Edge[]

  constructor(files: readonly SourceFile[]) {
    const sources = files.filter(isSource)
    this.#files = new Map(sources.map((file) => [file.path, file]))
    this.#edges = sources.flatMap((file) => edgesOf(file, this.#files))
  }

  /** Groups of files that reach each other. Value imports alone, or types too. */
  circles(withTypes: boolean): string[] {
    const own = this.#edges.filter(
      ({ from, to, isTypeOnly }) => isCode(from) && isCode(to) && (withTypes || !isTypeOnly),
    )
    return groupsOf(own).map((group) => group.toSorted().join(', '))
  }

  /** Sibling folders, at any depth, with imports both ways. */
  mutualFolderPairs(): string[] {
    const ways = new Map<string, Set<string>>()
    for (const { from, to } of this.#edges) {
      const pair = isCode(from) && isCode(to) ? siblingsOf(from, to) : null
      if (pair === null) continue
      const key = pair.toSorted().join(' and ')
      ways.set(key, (ways.get(key) ?? new Set()).add(pair[0]))
    }
    return [...ways].filter(([, from]) => from.size > 1).map(([key]) => key)
  }

  /** `path: name` for what no other file uses. */
  deadExports(): string[] {
    const used = new Map<string, Set<string> | null>()
    for (const { from, to, names } of this.#edges) {
      const before = used.get(to)
      if (from === to || before === null) continue
      used.set(to, names === null ? null : new Set([...(before ?? []), ...names]))
    }
    return [...this.#files.values()]
      .filter(({ path }) =>
        isBelow({ path, text: '' }, 'machines', 'src', 'visualizations', 'test'),
      )
      .filter(({ path }) => !ENTRIES.test(path) && !LOADED_BY_PATH.test(path))
      .filter(({ path }) => used.get(path) !== null)
      .flatMap(({ path, text }) =>
        [...text.matchAll(EXPORTED)]
          .map(([, name = '']) => name)
          .filter((name) => used.get(path)?.has(name) !== true)
          .map((name) => `${path}: ${name}`),
      )
  }
}

function isCode(path: string): boolean {
  return /^(machines|src)\//.test(path)
}

function edgesOf(file: SourceFile, files: ReadonlyMap<string, SourceFile>): Edge[] {
  const code = withoutComments(file)
  const edges: Edge[] = []
  const add = (specifier: string, isTypeOnly: boolean, names: readonly string[] | null) => {
    if (!specifier.startsWith('.')) return
    const to = posix.join(posix.dirname(file.path), specifier)
    if (files.has(to)) edges.push({ from: file.path, to, isTypeOnly, names })
  }
  for (const [, , type, whole, list, specifier = ''] of code.matchAll(STATEMENT)) {
    const parts = (list ?? '')
      .split(',')
      .map((part) => part.trim())
      .filter(Boolean)
    const isTypeOnly =
      type !== undefined || (parts.length > 0 && parts.every((part) => part.startsWith('type ')))
    const names = parts.map((part) => part.replace(/^type\s+/, '').replace(/\s+as\s+.*/, ''))
    add(specifier, isTypeOnly, whole === undefined && list !== undefined ? names : null)
  }
  for (const [, loaded, addressed] of code.matchAll(LOADED)) {
    if (loaded !== undefined) add(loaded, false, null)
    else if (addressed !== undefined && !isCode(file.path)) add(addressed, false, null)
  }
  return edges
}

/** The folders in which the ways of two files part; null where one is a file there. */
function siblingsOf(from: string, to: string): [string, string] | null {
  const a = from.split('/')
  const b = to.split('/')
  let depth = 0
  while (depth < a.length && a[depth] === b[depth]) depth++
  if (depth >= a.length - 1 || depth >= b.length - 1) return null
  return [a.slice(0, depth + 1).join('/'), b.slice(0, depth + 1).join('/')]
}

/** Strongly connected groups of more than one file, by Tarjan's walk. */
function groupsOf(edges: readonly Edge[]): string[][] {
  const next = Map.groupBy(edges, ({ from }) => from)
  const index = new Map<string, number>()
  const low = new Map<string, number>()
  const stack: string[] = []
  const groups: string[][] = []
  const visit = (path: string): void => {
    index.set(path, index.size)
    low.set(path, index.size - 1)
    stack.push(path)
    for (const { to } of next.get(path) ?? []) {
      if (!index.has(to)) visit(to)
      if (stack.includes(to)) low.set(path, Math.min(low.get(path) ?? 0, low.get(to) ?? 0))
    }
    if (low.get(path) !== index.get(path)) return
    const group = stack.splice(stack.indexOf(path))
    if (group.length > 1) groups.push(group)
  }
  for (const path of next.keys()) if (!index.has(path)) visit(path)
  return groups
}
