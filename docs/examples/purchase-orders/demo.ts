/**
 * The main job, start to end: 60 purchase orders on 4 workers, every file verified, nothing left
 * behind. Run it by `npm run demo`, or by `npm run demo -- --json` for one JSON object as the last
 * line of stdout.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createPoolActor, type PoolStatus, type TaskOutcome } from 'troupe'
import {
  checkConformance,
  type Leftovers,
  leftAfter,
  problemText,
  takeCensus,
} from 'troupe/testing'
import { type Order, readOrders } from './orders.ts'
import { CREDENTIALS, MISSING_ORDER, type Portal, startPortal } from './portal.ts'
import { startProgress } from './progress.ts'
import { formatReport, type OrderReport, type Summary } from './report.ts'
import type { OrderResult } from './tasks.ts'
import { verify } from './verification.ts'

const WORKERS = 4
const ALL_GONE_WITHIN_MS = 2_000
const SHOWN_COMMAND_LENGTH = 120

type Outcome = TaskOutcome<OrderResult, Order>

interface Run {
  readonly outcomes: readonly Outcome[]
  readonly status: PoolStatus
  readonly wallMs: number
}

/**
 * Ctrl-C: the pool shuts down by itself, and would then let the signal end this process. Somebody
 * who listens has more to do: here, to remove the folder. Not beyond the pool's life, or nothing
 * would end this process any more.
 */
function outliveSignals(): Disposable {
  const signals = ['SIGINT', 'SIGTERM'] as const
  const listen = () => {}
  for (const signal of signals) process.on(signal, listen)
  return {
    [Symbol.dispose]: () => {
      for (const signal of signals) process.off(signal, listen)
    },
  }
}

/** Everything a user of Troupe would write. The rest of this file checks and shows. */
async function runOrders(
  orders: readonly Order[],
  folders: { readonly run: string; readonly attachments: string; readonly traces: string },
): Promise<Run> {
  const startedAt = performance.now()
  const progress = startProgress(process.stderr)
  const outcomes: Outcome[] = []
  let status: PoolStatus
  using _signals = outliveSignals()
  {
    await using pool = createPoolActor<typeof import('./tasks.ts')>({
      tasks: new URL('./tasks.ts', import.meta.url),
      workers: WORKERS,
      artifacts: folders.attachments,
      runFolder: folders.run,
      trace: folders.traces,
      task: { attempts: 3, timeout: 30_000, backoff: { delay: 250 } },
    }).start()
    for await (const outcome of pool.map('download', orders)) {
      outcomes.push(outcome)
      const results = outcomes.map(resultOf)
      progress.show({
        done: outcomes.length,
        failed: results.filter(({ success }) => !success).length,
        total: orders.length,
        files: results.reduce((sum, { files }) => sum + files.length, 0),
      })
    }
    status = pool.status()
  }
  progress.end()
  return { outcomes, status, wallMs: Math.round(performance.now() - startedAt) }
}

function resultOf(outcome: Outcome): OrderResult {
  if (outcome.status === 'succeeded') return outcome.value
  return { success: false, files: [], error: outcome.error.message }
}

async function verifyAll(outcomes: readonly Outcome[], portal: Portal): Promise<OrderReport[]> {
  return Promise.all(
    outcomes.map(async (outcome) => {
      const order = outcome.payload
      const result = resultOf(outcome)
      const expected = portal.orders.find(({ number }) => number === order.number)
      return { order, result, ...(await verify(result, expected)) }
    }),
  )
}

/** Empty when the missing order is the only failure and everything else is as it should be. */
function problemsOf(reports: readonly OrderReport[], logins: number, left: Leftovers): string[] {
  const problems = reports.flatMap((report) => report.problems)
  for (const { order, result } of reports) {
    const expected = order.number !== MISSING_ORDER
    if (result.success !== expected) {
      problems.push(`${order.number}: should ${expected ? 'have succeeded' : 'not exist'}`)
    }
  }
  // One login a worker, and one more for the session that the portal threw out.
  if (logins < WORKERS + 1) problems.push(`only ${logins} logins`)
  return [
    ...problems,
    ...left.processes.map(
      ({ pid, command }) =>
        `process ${pid} was left behind: ${command.slice(0, SHOWN_COMMAND_LENGTH)}`,
    ),
    ...left.folders.map((path) => `${path} was left behind`),
  ]
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } })
  const orders = await readOrders(new URL('./orders.csv', import.meta.url))
  const folder = await mkdtemp(join(tmpdir(), 'troupe-demo-'))
  const folders = {
    run: join(folder, 'run'),
    attachments: join(folder, 'attachments'),
    traces: join(folder, 'traces'),
  }
  await Promise.all([mkdir(folders.run), mkdir(folders.attachments)])
  using census = takeCensus({ root: folders.run })
  await using portal = await startPortal()
  // The task file reads these: workers inherit the environment.
  process.env.PORTAL_URL = portal.url
  process.env.PORTAL_USER = CREDENTIALS.user
  process.env.PORTAL_PASSWORD = CREDENTIALS.password
  try {
    const { outcomes, status, wallMs } = await runOrders(orders, folders)
    const left = await leftAfter(census, { withinMs: ALL_GONE_WITHIN_MS })
    const reports = await verifyAll(outcomes, portal)
    const { steps, problems: differences } = checkConformance(folders.traces)
    const count = (of: (report: OrderReport) => number) =>
      reports.reduce((sum, report) => sum + of(report), 0)
    const succeeded = count(({ result }) => (result.success ? 1 : 0))
    const summary: Summary = {
      tasks: orders.length,
      succeeded,
      failed: orders.length - succeeded,
      attempts: outcomes.reduce((sum, { attempts }) => sum + attempts, 0),
      files: count(({ files }) => files),
      checksumsOk: count(({ checksumsOk }) => checksumsOk),
      logins: portal.logins(),
      processesStarted: status.processesStarted,
      reuseRate: status.reuseRate,
      wallMs,
      orphanProcesses: left.processes.length,
      profilesLeft: left.folders.length,
      conformance: { steps, differences: differences.length },
    }
    console.log(formatReport(reports, summary))
    const problems = [...problemsOf(reports, summary.logins, left), ...differences.map(problemText)]
    for (const problem of problems) console.error(`not as it should be: ${problem}`)
    if (values.json) console.log(JSON.stringify(summary))
    return problems.length === 0 ? 0 : 1
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  return 1
})
