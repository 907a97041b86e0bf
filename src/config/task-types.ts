/**
 * The pool options `taskTypes`, `plugins` and `workerScript`: their part of the one schema, and
 * what they mean once nothing is left open. It looks at no file and starts nothing.
 */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { choice, flag, MAX_BYTES, moduleReference, ms, section, text, whole } from './fields.ts'
import { moduleUrl } from '../common/module-url.ts'
import { OPT_IN_TYPES, type OptInName } from '../api/task-types.ts'

const MAX_ALLOWED = 256
const MAX_PLUGINS = 64
const SANDBOX_MODES = ['auto', 'required', 'off'] as const
/** Node reserves about half of it before a program has begun. */
const MIN_DISPOSABLE_MEMORY_BYTES = 512 * 1024 * 1024
const MEBIBYTE = 1024 * 1024
const MAX_CPU_SECONDS = 86_400
const SCHEMES = ['http', 'https', 'data', 'file'] as const

const bytes = (min: number, description: string) => whole(min, MAX_BYTES, description, ' of bytes')
const few = <Item extends z.ZodType>(item: Item, max: number) =>
  z
    .array(item, { error: 'must be an array' })
    .max(max, { error: `must have at most ${max} entries` })

const limits = section({
  timeout: ms('A disposable process may live this long.', 1).default(30_000),
  memory: bytes(
    MIN_DISPOSABLE_MEMORY_BYTES,
    'Its data, of which Node reserves some 350 MiB.',
  ).default(640 * MEBIBYTE),
  cpu: whole(1, MAX_CPU_SECONDS, 'Seconds of processor time.', ' of seconds').default(30),
  fileSize: bytes(MEBIBYTE, 'A file, and its temporary folder as a whole.').default(16 * MEBIBYTE),
  output: bytes(0, 'Kept of its standard output, and of its standard error.').default(MEBIBYTE),
})

const modules = section({
  folders: few(moduleReference('A folder: every module in it may be loaded.'), MAX_ALLOWED).default(
    [],
  ),
  named: z
    .record(z.string().min(1), moduleReference('A module, by the name that tasks use.'), {
      error: 'must be an object of modules by name',
    })
    .refine((named) => Object.keys(named).length <= MAX_ALLOWED, {
      error: `must have at most ${MAX_ALLOWED} entries`,
    })
    .default({}),
})

export const taskTypes = section({
  allow: few(choice(OPT_IN_TYPES, 'A type that is off otherwise.'), OPT_IN_TYPES.length).default(
    [],
  ),
  browser: flag('A browser for browser.* tasks although no task of the file needs one.').default(
    false,
  ),
  schemes: few(choice(SCHEMES, 'A scheme that browser.* and http-request may open.'), 8).default([
    'http',
    'https',
    'data',
  ]),
  maxResponseBytes: bytes(1, 'A response that http-request takes.').default(16 * MEBIBYTE),
  modules: modules.prefault({}).describe('What execute-function and execute-module may load.'),
  commands: few(text('A name on the PATH, or an absolute path.'), MAX_ALLOWED)
    .describe('What shell-command may run.')
    .default([]),
  sandbox: choice(
    SANDBOX_MODES,
    'auto: bubblewrap where it works; required: or the pool does not start; off: never.',
  ).default('auto'),
  unsafe: flag('shell-command may run without a sandbox.').default(false),
  limits: limits.prefault({}).describe('Of each disposable process.'),
})

export const plugins = few(
  moduleReference('Module that exports task types of its own.'),
  MAX_PLUGINS,
)
  .describe('Modules that bring task types.')
  .default([])

/** What the options say, as plain data that a worker can be born with. */
export function completeTaskTypes(
  parsed: z.output<typeof taskTypes>,
  plugged: readonly (string | URL)[],
): TaskTypesFacts {
  const { modules: allowed, ...rest } = parsed
  return Object.freeze({
    ...rest,
    modules: {
      folders: allowed.folders.map(folderPath),
      named: Object.fromEntries(
        Object.entries(allowed.named).map(([name, module]) => [name, moduleUrl(module)]),
      ),
    },
    plugins: plugged.map(moduleUrl),
  })
}

function folderPath(folder: string | URL): string {
  const url = moduleUrl(folder)
  return resolve(url.startsWith('file:') ? fileURLToPath(url) : String(folder))
}

/** The pool options `taskTypes` and `plugins`, complete. */
export interface TaskTypesFacts {
  readonly allow: readonly OptInName[]
  readonly browser: boolean
  readonly schemes: readonly string[]
  readonly maxResponseBytes: number
  readonly modules: {
    /** Absolute paths. */
    readonly folders: readonly string[]
    /** URLs by name. */
    readonly named: Readonly<Record<string, string>>
  }
  readonly commands: readonly string[]
  readonly sandbox: 'auto' | 'required' | 'off'
  readonly unsafe: boolean
  readonly limits: DisposableLimits
  /** URLs. */
  readonly plugins: readonly string[]
}

/** Of each disposable process. */
export interface DisposableLimits {
  /** ms */
  readonly timeout: number
  /** Bytes of data. */
  readonly memory: number
  /** Seconds of processor time. */
  readonly cpu: number
  /** Bytes of one file, and of the temporary folder. */
  readonly fileSize: number
  /** Bytes kept of stdout, and of stderr. */
  readonly output: number
}
