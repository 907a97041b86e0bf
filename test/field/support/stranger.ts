/**
 * A stranger's program: a few files in an empty folder, run by the project's Node against the packed
 * package. Its files cannot see the sources of Troupe. What it left running or lying about is counted
 * when it has ended, and then removed.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inject } from 'vitest'
import { type Leftovers, leftAfter, takeCensus } from '../../../src/testing/census.ts'

export interface StrangerOptions {
  /** The file to run. Default: `main.mjs`. */
  readonly main?: string
  readonly nodeArgs?: readonly string[]
  /** On top of what this process has. */
  readonly env?: Readonly<Record<string, string>>
  /** The program and all that came of it is killed after it. Default: 30 s. */
  readonly timeoutMs?: number
  /** Where it is run. Default: the folder of its files. */
  readonly cwd?: string
  /** How long after its end something of it may still be there. Default: 5 s. */
  readonly goneWithinMs?: number
}

export interface StrangerRun {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  /** The lines of stdout that are JSON, parsed. */
  readonly lines: unknown[]
  /** Processes and folders that were still there `goneWithinMs` after the end. */
  readonly left: string[]
}

/** True in `npm run field`: cases may take their time there. */
export const isDeep = process.env['TROUPE_FIELD'] === 'deep'

const TIMEOUT_MS = 30_000
/** G3 promises 2 s; the rest is for a loaded machine. */
const GONE_WITHIN_MS = 5_000
const NODE = fileURLToPath(new URL('../../../node_modules/node/bin/node', import.meta.url))
/** Troupe's own root holds caches that are meant to stay. */
const KEPT = /^(troupe-.*|node-compile-cache)$/
const RUN = /^run-/

/** Runs the program to its end, whatever the end is. */
export async function stranger(
  files: Readonly<Record<string, string>>,
  options: StrangerOptions = {},
): Promise<StrangerRun> {
  const home = mkdtempSync(join(inject('field').base, 's-'))
  const project = join(home, 'project')
  const temporary = join(home, 't')
  mkdirSync(temporary)
  for (const [name, text] of Object.entries({ 'package.json': '{ "type": "module" }', ...files })) {
    mkdirSync(dirname(join(project, name)), { recursive: true })
    writeFileSync(join(project, name), text)
  }
  const withinMs = options.goneWithinMs ?? GONE_WITHIN_MS
  using census = takeCensus({ root: temporary })
  try {
    const run = await runProgram(project, temporary, options)
    const left = await leftAfter(withoutKept(census, temporary), { withinMs })
    return { ...run, lines: run.stdout.split('\n').flatMap(parsed), left: clear(left) }
  } finally {
    rmSync(home, { recursive: true, force: true, maxRetries: 3 })
  }
}

function runProgram(
  project: string,
  temporary: string,
  { main = 'main.mjs', nodeArgs = [], env = {}, timeoutMs = TIMEOUT_MS, cwd }: StrangerOptions,
): Promise<Omit<StrangerRun, 'lines' | 'left'>> {
  const child = spawn(NODE, [...nodeArgs, join(project, main)], {
    cwd: cwd ?? project,
    env: {
      ...process.env,
      PATH: [dirname(NODE), process.env['PATH']].join(delimiter),
      NODE_OPTIONS: '',
      NODE_ENV: '',
      TMPDIR: temporary,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const stdout = collected(child, 'stdout')
  const stderr = collected(child, 'stderr')
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', () => clearTimeout(timer))
    // A worker that outlives the program may hold its pipes: they are not waited for.
    child.once('exit', (code, signal) => {
      setImmediate(() => resolve({ code, signal, stdout: stdout(), stderr: stderr() }))
    })
  })
}

function collected(child: ChildProcess, name: 'stdout' | 'stderr'): () => string {
  let text = ''
  child[name]?.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  return () => text
}

function parsed(line: string): unknown[] {
  try {
    return [JSON.parse(line)]
  } catch {
    return []
  }
}

/** The census, but of run folders in place of the root that holds them. */
function withoutKept<C extends { leftBehind(): Leftovers }>(census: C, temporary: string): C {
  const leftBehind = (): Leftovers => {
    const { processes, folders } = census.leftBehind()
    const runs = folders.flatMap((folder) => {
      const name = folder.slice(temporary.length + 1)
      if (!KEPT.test(name)) return [folder]
      return readdirSync(folder).flatMap((inner) => (RUN.test(inner) ? [join(folder, inner)] : []))
    })
    return { processes, folders: runs }
  }
  return { ...census, leftBehind }
}

/** Names what is left and ends the processes: the next case must not meet them. */
function clear({ processes, folders }: Leftovers): string[] {
  for (const { pid } of processes) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It has just ended by itself.
    }
  }
  return [...processes.map(({ pid, command }) => `process ${pid}: ${command}`), ...folders]
}
