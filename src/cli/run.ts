/**
 * `troupe run`: the jobs of a file through a task, results as JSON Lines. It puts the pieces
 * together: input, results, pool, progress, signals, exit code. Data goes to stdout, everything
 * else to stderr.
 */
import { createReadStream, existsSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { parseConfig, requireTaskFile } from '../config/parse.ts'
import { isTroupeError } from '../common/errors.ts'
import { createPoolActor } from '../index.ts'
import { finishedJobs } from './finished-jobs.ts'
import { exitCodeOf, Interrupts, type StopSignal } from './interrupts.ts'
import { JobRun, type RunPool } from './job-run.ts'
import { checkJobFile, readJobs } from './job-source.ts'
import { poolNotes } from './pool-notes.ts'
import { Progress, progressLine } from './progress.ts'
import { fileSink, type ResultSink, streamSink } from './result-sink.ts'
import { type RunFlags, type RunPlan, runPlan } from './run-plan.ts'
import { commandName, type RunSummary, resumeCommand, summaryOf, summaryText } from './summary.ts'
import { Tally } from './tally.ts'

export const EXIT = { ok: 0, someFailed: 1, usage: 2, noBrowser: 3 } as const

/** Failures told one by one; the rest is in the results. */
const MAX_FAILURES_SHOWN = 20
/** Tasks waiting in the pool, so that no place waits for the next row. */
const WINDOW_RESERVE = 16

export interface RunEnd {
  readonly exitCode: number
  /** To be raised again by the caller. */
  readonly signal: StopSignal | null
}

/**
 * Runs the jobs.
 *
 * @throws CONFIG_INVALID, PAYLOAD_INVALID for what is wrong before anything was started.
 */
export async function runCommand(
  jobs: string,
  flags: RunFlags,
  args: readonly string[],
): Promise<RunEnd> {
  const terminalNotes: { write(text: string): void } = { write: () => {} }
  const plan = runPlan(
    jobs,
    flags,
    poolNotes((text) => terminalNotes.write(text), flags.quiet === true),
  )
  const config = parseConfig(plan.pool)
  requireTaskFile(config)
  const total = plan.source.rereadable ? await checkJobFile(plan.source) : null
  const finished =
    plan.resume && plan.out !== null && existsSync(plan.out) ? await finishedJobs(plan.out) : null
  const sink = plan.out === null ? streamSink(process.stdout) : await fileSink(plan.out, finished)
  const pool: RunPool = createPoolActor(plan.pool)
  const tally = new Tally(total, performance.now())
  let shown = 0
  const run: JobRun = new JobRun({
    pool,
    task: plan.task,
    sink,
    tally,
    maxFailures: plan.maxFailures,
    finished: finished?.succeeded ?? new Set(),
    recall: plan.recall,
    window: 2 * config.maxWorkers * config.concurrentTasksPerWorker + WINDOW_RESERVE,
    firstRowDecides: true,
    onFailure: (id, code, message, attempts) => {
      if (plan.quiet || ++shown > MAX_FAILURES_SHOWN) return
      const first = `${id}: ${code} after ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}`
      progress.note(`${first}: ${message}`)
      if (shown === MAX_FAILURES_SHOWN) progress.note('further failures are in the results only')
    },
  })
  const line = () => progressLine(tally, run.started ? pool.status() : null, performance.now())
  const progress = new Progress(process.stderr, line, plan.quiet)
  terminalNotes.write = (text) => progress.note(text)
  return await conduct({ plan, args, pool, run, sink, tally, progress })
}

interface Performance {
  readonly plan: RunPlan
  readonly args: readonly string[]
  readonly pool: RunPool
  readonly run: JobRun
  readonly sink: ResultSink
  readonly tally: Tally
  readonly progress: Progress
}

async function conduct(all: Performance): Promise<RunEnd> {
  const { plan, pool, run, sink, tally, progress } = all
  const interrupts = new Interrupts()
  let killed: Promise<unknown> | null = null
  interrupts.listen({
    drain: (signal) => {
      run.stop()
      const rest = `${run.running} under way will finish; again to kill`
      if (!plan.quiet) progress.note(`${signal}: stopping; ${rest}`)
    },
    kill: () => {
      if (!plan.quiet) progress.note('killing')
      killed = pool.shutdown({ force: true })
    },
  })
  const input: Readable =
    plan.source.name === '-' ? process.stdin : createReadStream(plan.source.name)
  progress.start()
  try {
    await run.run(readJobs(plan.source, input), () => input.destroy())
    input.destroy()
    if (run.started) await (killed ?? pool.shutdown())
  } catch (error) {
    run.fail(error)
  }
  await sink.close().catch((error: unknown) => run.fail(error))
  progress.stop()
  interrupts.close()
  if (tally.total !== null) {
    tally.notRun = Math.max(0, tally.total - tally.ended - tally.skipped)
  }
  return report(all, interrupts.first)
}

function report({ plan, args, run, tally, progress }: Performance, signal: StopSignal | null) {
  const exitCode = signal === null ? exitCodeFor(run, tally) : exitCodeOf(signal)
  const left = tally.failed + tally.notRun > 0 || run.error !== null
  const command = resumeCommand(commandName(process.argv[1] ?? 'troupe', process.env), args)
  const summary: RunSummary = summaryOf(tally, performance.now(), {
    out: plan.out,
    resume: left && plan.out !== null ? command : null,
    exitCode,
    signal,
    error: run.error && { code: run.error.code, message: run.error.message },
  })
  if (run.error) progress.note(`error: ${run.error.message}`)
  if (!plan.quiet && exitCode !== EXIT.usage) progress.note(summaryText(summary))
  if (plan.json) process.stdout.write(`${JSON.stringify(summary)}\n`)
  return { exitCode, signal }
}

function exitCodeFor(run: JobRun, tally: Tally): number {
  const code = run.error?.code
  if (code === 'BROWSER_NOT_FOUND') return EXIT.noBrowser
  if (isTroupeError(run.error) && USAGE.has(run.error.code) && tally.ended === 0) return EXIT.usage
  return run.error || tally.failed > 0 || tally.notRun > 0 ? EXIT.someFailed : EXIT.ok
}

/** With these and nothing done yet, the call itself was wrong. */
const USAGE: ReadonlySet<string> = new Set([
  'CONFIG_INVALID',
  'PAYLOAD_INVALID',
  'TASK_UNKNOWN',
  'WORKER_START_FAILED',
])
