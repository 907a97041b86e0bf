/**
 * Turns what a user wrote into a PoolConfig: complete, frozen, checked. Everything wrong is told at
 * once, one line a field, each with its fix. It never starts anything and is never imported by a
 * worker process.
 */
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { describeIssues } from './messages.ts'
import { poolSchema } from './schema.ts'
import { TroupeError } from '../common/errors.ts'
import type { LogSink } from '../common/logger.ts'
import { requireSlots } from './order-schema.ts'
import { moduleUrl } from '../common/module-url.ts'
import type { TaskOptions } from '../api/task.ts'
import { type StoreConfig, storeConfig } from './store-schema.ts'
import { completeTaskTypes, type TaskTypesFacts } from './task-types.ts'
import { DEFAULT_TASK_OPTIONS, parseTaskOptions } from './task-options.ts'
import { type NormalTaskOptions } from './task-option-checks.ts'

export type { PoolOptions } from '../api/options.ts'
export { parseMapOptions, parseTaskOptions } from './task-options.ts'

/**
 * Without a number of workers, a pool has one per core, but not more than this: browsers are big.
 */
const DEFAULT_WORKERS_LIMIT = 4
const MIN_RESTART_INTENSITY = 5
/** Names a trace for pools whose options name none: to see what a program's pool does. */
const TRACE_VARIABLE = 'TROUPE_TRACE'

type Parsed = z.output<typeof poolSchema>

/** A pool's configuration with nothing left open. Names and units are those of PoolOptions. */
export interface PoolConfig
  extends Readonly<
    Omit<
      Parsed,
      | 'tasks'
      | 'taskTypes'
      | 'plugins'
      | 'workerScript'
      | 'artifacts'
      | 'runFolder'
      | 'store'
      | 'trace'
      | 'task'
      | 'restart'
      | 'browser'
      | 'logger'
    >
  > {
  /** URL of the task file, as a string. */
  readonly tasks: string
  /** With the URLs of the plug-ins. */
  readonly taskTypes: TaskTypesFacts
  /** URL, as a string; null: none. */
  readonly workerScript: string | null
  /** Absolute; null: in the run folder. */
  readonly artifacts: string | null
  /** Absolute; null: the default root for run folders. */
  readonly runFolder: string | null
  /** Null: tasks end with the pool. */
  readonly store: StoreConfig | null
  /** Absolute; null: nothing is recorded on disk. */
  readonly trace: string | null
  /** Workers at the start. Equal to minWorkers. */
  readonly workers: number
  readonly minWorkers: number
  readonly maxWorkers: number
  readonly task: NormalTaskOptions
  readonly restart: Readonly<Omit<Parsed['restart'], 'intensity'>> & { readonly intensity: number }
  readonly browser: Readonly<
    Omit<Parsed['browser'], 'driver' | 'executablePath' | 'baseProfile' | 'args'>
  > & {
    readonly args: readonly string[]
    /** Null: to be found. */
    readonly executablePath: string | null
    /** Absolute; null: none. */
    readonly baseProfile: string | null
    /** URL of the driver's module, as a string; null: puppeteer. */
    readonly driver: string | null
  }
  /** Null: Troupe's own, on stderr. */
  readonly logger: 'silent' | LogSink | null
}

/**
 * Checks a pool's options and fills in the defaults.
 *
 * @throws CONFIG_INVALID with a line for every field that is wrong, and what to write instead.
 * @example
 * parseConfig({ tasks: './tasks.ts', workers: 4 }).closeTimeout // 10000
 */
export function parseConfig(input: unknown): PoolConfig {
  let result: ReturnType<typeof poolSchema.safeParse>
  try {
    result = poolSchema.safeParse(input)
  } catch (cause) {
    throw new TroupeError('CONFIG_INVALID', 'the pool options cannot be read', { cause })
  }
  if (result.success) return complete(result.data)
  const lines = describeIssues(result.error.issues, input)
  const head = 'the pool options are not valid:'
  throw new TroupeError('CONFIG_INVALID', [head, ...lines.map((line) => `  ${line}`)].join('\n'))
}

/**
 * Makes sure that the task file exists, before anything is started for it.
 *
 * @throws CONFIG_INVALID naming the path that was looked at.
 */
export function requireTaskFile(config: Pick<PoolConfig, 'tasks'>): void {
  const url = new URL(config.tasks)
  if (url.protocol !== 'file:' || existsSync(url)) return
  const fix = 'name the file that default-exports defineTasks({ … })'
  throw new TroupeError('CONFIG_INVALID', `tasks: there is no file ${fileURLToPath(url)}; ${fix}`)
}

/** JSON Schema (draft 2020-12) of the options, for editors and documentation. */
export function configJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(poolSchema, { io: 'input', unrepresentable: 'any' })
}

function complete(parsed: Parsed): PoolConfig {
  const { minWorkers, maxWorkers } = scaleOf(parsed)
  const { task, restart, browser, ...rest } = parsed
  const { plugins, workerScript } = parsed
  requireSlots(parsed.capabilities, minWorkers, parsed.standby)
  return Object.freeze({
    ...rest,
    concurrentTasksPerWorker: parsed.parallel ? parsed.concurrentTasksPerWorker : 1,
    tasks: moduleUrl(parsed.tasks),
    taskTypes: completeTaskTypes(parsed.taskTypes, plugins),
    workerScript: workerScript === undefined ? null : moduleUrl(workerScript),
    artifacts: absolute(parsed.artifacts),
    runFolder: absolute(parsed.runFolder),
    store: storeConfig(parsed.store),
    trace: absolute(parsed.trace ?? (process.env[TRACE_VARIABLE] || undefined)),
    workers: minWorkers,
    minWorkers,
    maxWorkers,
    task: Object.freeze(parseTaskOptions(task as TaskOptions, DEFAULT_TASK_OPTIONS)),
    restart: Object.freeze({
      ...restart,
      intensity: restart.intensity ?? Math.max(MIN_RESTART_INTENSITY, 2 * maxWorkers),
    }),
    browser: Object.freeze({
      ...browser,
      args: Object.freeze([...browser.args]),
      executablePath: browser.executablePath ?? null,
      baseProfile: absolute(browser.baseProfile),
      driver: browser.driver === undefined ? null : moduleUrl(browser.driver),
    }),
    logger: parsed.logger ?? null,
  })
}

function scaleOf(parsed: Parsed): { minWorkers: number; maxWorkers: number } {
  const { workers, minWorkers, maxWorkers } = parsed
  if (!parsed.parallel) return { minWorkers: 1, maxWorkers: 1 }
  if (workers !== undefined) return { minWorkers: workers, maxWorkers: workers }
  const usual = Math.min(DEFAULT_WORKERS_LIMIT, availableParallelism())
  if (minWorkers === undefined && maxWorkers === undefined) {
    return { minWorkers: usual, maxWorkers: usual }
  }
  const min = minWorkers ?? 1
  return { minWorkers: min, maxWorkers: maxWorkers ?? Math.max(min, usual) }
}

function absolute(path: string | undefined): string | null {
  return path === undefined ? null : resolve(path)
}
