/** How a run ended, for people (a table on stderr) and for programs (one JSON object on stdout). */
import { clockText, rateText, safeText } from './progress.ts'
import type { Tally } from './tally.ts'

export interface RunSummary {
  readonly jobs: number
  readonly succeeded: number
  readonly failed: number
  readonly skipped: number
  readonly notRun: number
  readonly attempts: number
  /** Failures by error code. */
  readonly failures: Readonly<Record<string, number>>
  readonly wallMs: number
  /** Path of the results; null: stdout. */
  readonly out: string | null
  /** The command that runs what is left; null when nothing is. */
  readonly resume: string | null
  readonly exitCode: number
  readonly signal: string | null
  /** What ended the run before its time. */
  readonly error: { readonly code: string; readonly message: string } | null
}

export function summaryOf(
  tally: Tally,
  nowMs: number,
  end: Pick<RunSummary, 'out' | 'resume' | 'exitCode' | 'signal' | 'error'>,
): RunSummary {
  const { succeeded, failed, skipped, notRun, attempts } = tally
  return {
    jobs: succeeded + failed + skipped + notRun,
    succeeded,
    failed,
    skipped,
    notRun,
    attempts,
    failures: Object.fromEntries(tally.codes),
    wallMs: Math.round(nowMs - tally.startedMs),
    ...end,
  }
}

/** The table that ends a run. */
export function summaryText(summary: RunSummary): string {
  const { jobs, succeeded, failed, skipped, notRun, wallMs } = summary
  const codes = Object.entries(summary.failures).map(([code, count]) => `${code} ${count}`)
  const rate = wallMs > 0 ? ((succeeded + failed) * 1_000) / wallMs : 0
  const rows: [string, number | string, string][] = [['jobs', jobs, '']]
  rows.push(['succeeded', succeeded, ''])
  rows.push(['failed', failed, codes.join(', ')])
  if (skipped > 0) rows.push(['skipped', skipped, 'succeeded in an earlier run'])
  if (notRun > 0) rows.push(['not run', notRun, 'stopped before they ended'])
  rows.push(['time', clockText(wallMs), `${rateText(rate)} jobs/s`])
  const width = Math.max(...rows.map(([, value]) => String(value).length))
  const lines = rows.map(([name, value, remark]) =>
    `  ${name.padEnd(10)} ${String(value).padStart(width)}  ${remark}`.trimEnd(),
  )
  // Without a result there is no file of results.
  const isFileThere = succeeded + failed + skipped > 0
  if (summary.out !== null && isFileThere) lines.push(`  ${'results'.padEnd(10)} ${summary.out}`)
  if (summary.resume !== null) lines.push('', `Run what is left: ${summary.resume}`)
  return safeText(lines.join('\n'))
}

/**
 * The command that goes on where this one ended.
 *
 * @param command how this program was called, as `troupe`.
 * @param args the arguments it was called with.
 */
export function resumeCommand(command: string, args: readonly string[]): string {
  const all = args.includes('--resume') ? args : [...args, '--resume']
  return [command, ...all.map(shellQuoted)].join(' ')
}

/** How this program was called, as one would type it again. */
export function commandName(script: string, environment: NodeJS.ProcessEnv): string {
  if (!/\.[cm]?[jt]s$/.test(script)) {
    return environment.npm_command === 'exec' ? 'npx troupe' : 'troupe'
  }
  return `node ${shellQuoted(script)}`
}

function shellQuoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
