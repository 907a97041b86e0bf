/**
 * What `troupe run` was asked to do, checked: the command line as a plan. It reads no job and
 * starts nothing; what is wrong is a usage error.
 */
import { existsSync, realpathSync, statSync } from 'node:fs'
import { parse, resolve } from 'node:path'
import type { PoolOptions } from '../config/parse.ts'
import { TroupeError } from '../common/errors.ts'
import { type JobFormat, type JobSource, jobSource } from './job-source.ts'

/** The options as commander hands them over. */
export interface RunFlags {
  readonly tasks: string
  readonly task: string
  readonly out: string
  readonly workers?: number
  readonly concurrency?: number
  readonly retries?: number
  readonly timeout?: number
  readonly maxFailures?: number
  readonly artifacts?: string
  readonly format?: JobFormat
  readonly delimiter?: string
  readonly resume?: boolean
  readonly store?: string
  readonly failFast?: boolean
  readonly json?: boolean
  readonly quiet?: boolean
}

export interface RunPlan {
  readonly source: JobSource
  readonly task: string
  readonly pool: PoolOptions
  /** Absolute path of the results; null: stdout. */
  readonly out: string | null
  readonly resume: boolean
  /** The pool has a store, which may know jobs of an earlier run. */
  readonly recall: boolean
  /** The run stops at this many failures. */
  readonly maxFailures: number
  readonly json: boolean
  readonly quiet: boolean
}

/**
 * @param logger takes what the pool has to say.
 * @throws CONFIG_INVALID naming the flag and the fix.
 */
export function runPlan(
  jobs: string,
  flags: RunFlags,
  logger: NonNullable<PoolOptions['logger']>,
): RunPlan {
  const out = flags.out === '-' ? null : resolve(flags.out)
  if (flags.resume && out === null) {
    refuse('--resume needs a file of results; name it with --out')
  }
  if (
    flags.resume &&
    out !== null &&
    statSync(out, { throwIfNoEntry: false })?.isFile() === false
  ) {
    refuse(`--out ${flags.out} is not a file that can be read again; --resume needs one`)
  }
  if (flags.failFast && flags.maxFailures !== undefined) {
    refuse('--fail-fast is --max-failures 1; leave out one of them')
  }
  const source = jobSource(jobs, flags.format, flags.delimiter)
  if (out !== null && source.name !== '-' && isSameFile(source.name, out)) {
    refuse(`--out ${flags.out} is the file of the jobs; name another one`)
  }
  return {
    source,
    task: flags.task,
    pool: poolOptions(flags, out, logger),
    out,
    // What was killed with the store goes on, and what was written down is not written again.
    resume: flags.resume === true || (flags.store !== undefined && out !== null),
    recall: flags.store !== undefined,
    maxFailures: flags.failFast ? 1 : (flags.maxFailures ?? Number.POSITIVE_INFINITY),
    json: flags.json === true,
    quiet: flags.quiet === true,
  }
}

function poolOptions(
  flags: RunFlags,
  out: string | null,
  logger: NonNullable<PoolOptions['logger']>,
): PoolOptions {
  const { workers, concurrency, retries, timeout, store } = flags
  const artifacts = flags.artifacts ?? (out === null ? undefined : artifactFolder(out))
  return {
    tasks: flags.tasks,
    logger,
    // The run itself decides what a signal means.
    signals: false,
    ...(workers === undefined ? {} : { workers }),
    ...(concurrency === undefined ? {} : { concurrentTasksPerWorker: concurrency }),
    ...(artifacts === undefined ? {} : { artifacts }),
    ...(store === undefined ? {} : { store }),
    task: {
      ...(retries === undefined ? {} : { attempts: retries + 1 }),
      ...(timeout === undefined ? {} : { timeout }),
    },
  }
}

/** `results.jsonl` → `results-artifacts`, beside it. */
function artifactFolder(out: string): string {
  const { dir, name } = parse(out)
  return resolve(dir, `${name}-artifacts`)
}

function isSameFile(a: string, b: string): boolean {
  return existsSync(a) && existsSync(b) && realpathSync(a) === realpathSync(b)
}

function refuse(message: string): never {
  throw new TroupeError('CONFIG_INVALID', message)
}
