#!/usr/bin/env node
/**
 * The `troupe` command: what can be said on the command line, and what becomes of errors. The pool
 * is loaded only by a command that needs it.
 */
import { readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { isTroupeError } from '../common/errors.ts'
import { raise } from './interrupts.ts'
import { FORMATS } from './job-source.ts'
import { addProfilesCommand } from './profiles-options.ts'
import { safeText } from './progress.ts'
import type { RunFlags } from './run-plan.ts'

const EXIT_USAGE = 2
const MAX_ATTEMPTS = 100
const MAX_DURATION_MS = 2 ** 31 - 1

function whole(min: number, max: number) {
  return (text: string): number => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
    if (value >= min && value <= max) return value
    throw new InvalidArgumentError(`Give a whole number from ${min} to ${max}.`)
  }
}

function delimiter(text: string): string {
  const value = text === '\\t' || text === 'tab' ? '\t' : text
  if (value.length === 1 && !/["\r\n]/.test(value)) return value
  throw new InvalidArgumentError("Give one character, as ';', or tab.")
}

function nonEmpty(text: string): string {
  if (text !== '') return text
  throw new InvalidArgumentError('It is empty.')
}

const RUN_HELP = `
Each row is the payload of one task; a field 'id' names the job. Each line of the results is
{ id, status, attempts, runMs, value | error: { code, message }, worker }.
The first Ctrl-C lets what runs finish, the second kills.

Exit codes: 0 all succeeded, 1 some failed or were not run, 2 usage, 3 no browser found,
130 or 143 after a signal.

Example:
  troupe run orders.csv --tasks ./tasks.ts --task download -n 4 --out results.jsonl`

function runOptions(command: Command): Command {
  return command
    .argument('<jobs>', 'a .jsonl or .csv file, or - for stdin', nonEmpty)
    .requiredOption('--tasks <file>', 'the task file, as ./tasks.ts', nonEmpty)
    .requiredOption('--task <name>', 'the task to run', nonEmpty)
    .option('-n, --workers <n>', 'worker processes', whole(1, 64))
    .option('--concurrency <n>', 'tasks (tabs) at once in a worker', whole(1, 256))
    .option('--out <file>', 'where results are appended; - for stdout', nonEmpty, 'results.jsonl')
    .option('--resume', 'skip what succeeded according to the results file')
    .option('--store <file>', 'keep tasks in this file: a run that was killed goes on', nonEmpty)
    .option('--retries <n>', 'further attempts after the first', whole(0, MAX_ATTEMPTS - 1))
    .option('--timeout <ms>', 'limit of one attempt, 0 for none', whole(0, MAX_DURATION_MS))
    .option('--fail-fast', 'stop at the first failure')
    .option('--max-failures <n>', 'stop at this many failures', whole(1, Number.MAX_SAFE_INTEGER))
    .option(
      '--artifacts <folder>',
      'where tasks leave files (default: beside the results)',
      nonEmpty,
    )
    .addOption(
      new Option('--format <format>', 'of the jobs, if not told by the name').choices(FORMATS),
    )
    .option('--delimiter <character>', 'between the fields of a CSV', delimiter)
    .option('--json', 'end with a summary as one line of JSON on stdout')
    .option('--quiet', 'only errors on stderr')
    .addHelpText('after', RUN_HELP)
}

function program(): Command {
  const root = new Command('troupe')
    .description('Runs browser work on a troupe of persistent worker processes.')
    .version(version())
    .exitOverride()
  const run = runOptions(root.command('run').description('run a file of jobs through a task'))
  run.showHelpAfterError('(troupe run --help shows all options)')
  run.action(async (jobs: string, flags: RunFlags) => {
    const { runCommand } = await import('./run.ts')
    const end = await runCommand(jobs, flags, process.argv.slice(2))
    process.exitCode = end.exitCode
    if (end.signal !== null) raise(end.signal)
  })
  addProfilesCommand(root, (exitCode) => {
    process.exitCode = exitCode
  })
  return root
}

function version(): string {
  const path = findPackageJSON('..', import.meta.url)
  if (path === undefined) return 'unknown'
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE
  if (isTroupeError(error)) {
    process.stderr.write(`${safeText(`error: ${error.message}`)}\n`)
    return EXIT_USAGE
  }
  process.stderr.write(`${(error as Error).stack ?? String(error)}\n`)
  return 1
}

// A reader that goes away (`troupe run … --out - | head`) is met where results are written.
process.stdout.on('error', () => {})
process.stderr.on('error', () => {})
try {
  await program().parseAsync()
} catch (error) {
  process.exitCode = exitCodeOf(error)
}
