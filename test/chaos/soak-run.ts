/**
 * Steady work on a pool that recycles its workers all the time, and a look at the operating system
 * every second: what only ever grows is a leak.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createPoolActor } from '../../src/index.ts'
import { RECENT_ENDS } from '../../src/ledger/results/recent-ends.ts'
import { SITE_VARIABLE, startSite } from './chaos-site.ts'
import type { ChaosPool, ChaosTasks } from './client-oracle.ts'
import { readProc, runsIn, treeOf } from './graves.ts'
import { type Sample, slopeOf } from './slope.ts'

const SAMPLE_EVERY_MS = 1_000
/** Caches fill and code is compiled first; the least, and the share of the run. */
const WARM_UP_MS = 15_000
const WARM_UP_SHARE = 0.2
/** Standard errors by which a slope must be above its limit: one level row in a hundred is. */
const CERTAINTY = 2.5
/** What a pool remembers of its last ends fills up in hours of visits, and looks like a leak till then. */
const FILLING_TASKS = 2 * RECENT_ENDS
const FILLING_AT_ONCE = 100
const MB = 1024 * 1024
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** More than this per minute is a leak. Processes and profiles come and go with every recycling. */
const SLOPE_LIMITS = {
  /**
   * Of the whole tree, browsers included; its anonymous part, for file pages are shared with
   * whatever else runs.
   */
  pss: 8 * MB,
  /** What the pool's own process, which is never recycled, holds after a collection. */
  heap: 1 * MB,
  fds: 1,
  processes: 1,
  timers: 1,
  profiles: 0.5,
} as const
type Kind = keyof typeof SLOPE_LIMITS
type Samples = Record<Kind, Sample[]>
const KINDS = Object.keys(SLOPE_LIMITS) as Kind[]

interface SoakOptions {
  readonly minutes: number
  readonly workers: number
  readonly maxTasksPerWorker: number
  readonly onSample: (seen: Readonly<Record<Kind, number>>, tasks: number) => void
}

interface JudgedSlope {
  readonly perMinute: number
  readonly limit: number
  /** Standard error of `perMinute`. */
  readonly error: number
  /** Above its limit by more than chance explains. */
  readonly isOver: boolean
}

interface SoakReport {
  readonly minutes: number
  readonly workers: number
  readonly tasks: number
  readonly failed: number
  readonly lost: number
  readonly processesStarted: number
  readonly slopes: Readonly<Record<Kind, JudgedSlope>>
}

export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  const root = mkdtempSync(join(tmpdir(), 'soak-'))
  using site = await startSite()
  process.env[SITE_VARIABLE] = site.url
  const pool = createPoolActor<ChaosTasks>({
    tasks: new URL('./chaos-tasks.ts', import.meta.url),
    workers: options.workers,
    runFolder: root,
    logger: 'silent',
    maxTasksPerWorker: options.maxTasksPerWorker,
  })
  try {
    pool.start()
    await fill(pool)
    const load = startVisits(pool, 2 * options.workers)
    const samples = await sampleFor(root, options, () => load.counts.ended)
    await load.stop()
    const { processesStarted } = pool.status()
    await pool.shutdown()
    const { submitted, ended, failed } = load.counts
    const { minutes, workers } = options
    const lost = submitted - ended
    return {
      minutes,
      workers,
      tasks: ended,
      failed,
      lost,
      processesStarted,
      slopes: judge(samples),
    }
  } finally {
    await pool.shutdown({ force: true })
    rmSync(root, { recursive: true, force: true })
  }
}

async function fill(pool: ChaosPool): Promise<void> {
  const payloads = Array.from({ length: FILLING_TASKS }, (_, index) => index)
  for await (const { status } of pool.map('double', payloads, { concurrency: FILLING_AT_ONCE })) {
    if (status !== 'succeeded') throw new Error(`a task without a browser ${status}`)
  }
}

/** Counts and no more: books would grow with every task, and be the leak that is found. */
function startVisits(pool: ChaosPool, concurrency: number) {
  const stopping = new AbortController()
  const counts = { submitted: 0, ended: 0, failed: 0 }
  const lane = async () => {
    while (!stopping.signal.aborted) {
      const handle = pool.submit('visit', ++counts.submitted)
      const { status } = await handle.outcome()
      counts.ended++
      if (status !== 'succeeded') counts.failed++
    }
  }
  const lanes = Array.from({ length: concurrency }, lane)
  return {
    counts,
    stop: async () => {
      stopping.abort()
      await Promise.all(lanes)
    },
  }
}

async function sampleFor(
  root: string,
  { minutes, onSample }: SoakOptions,
  tasks: () => number,
): Promise<Samples> {
  const samples = Object.fromEntries(KINDS.map((kind) => [kind, []])) as unknown as Samples
  const startedMs = performance.now()
  const endMs = startedMs + minutes * 60_000
  const warmMs = startedMs + Math.max(WARM_UP_MS, (endMs - startedMs) * WARM_UP_SHARE)
  while (performance.now() < endMs) {
    await delay(SAMPLE_EVERY_MS)
    const seen = look(root)
    onSample(seen, tasks())
    const atMs = performance.now()
    if (atMs < warmMs) continue
    for (const kind of KINDS) samples[kind].push({ atMs, value: seen[kind] })
  }
  return samples
}

function look(root: string): Record<Kind, number> {
  collect()
  const tree = treeOf(process.pid)
  const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  return {
    pss: anonymousPss(tree.map(({ pid }) => pid)),
    heap: process.memoryUsage().heapUsed,
    fds: readdirSync('/proc/self/fd').length,
    processes: tree.length,
    timers,
    profiles: runsIn(root)
      .map((run) => join(root, run, 'profiles'))
      .filter(existsSync)
      .reduce((sum, folder) => sum + readdirSync(folder).length, 0),
  }
}

function anonymousPss(pids: readonly number[]): number {
  const texts = pids.map((pid) => readProc(pid, 'smaps_rollup'))
  const kilobytes = texts.flatMap((text) =>
    [...text.matchAll(/^Pss_(?:Anon|Shmem):\s+(\d+) kB$/gm)].map(([, count]) => Number(count)),
  )
  return kilobytes.reduce((sum, count) => sum + count, 0) * 1024
}

function judge(samples: Samples): Record<Kind, JudgedSlope> {
  const slopes = KINDS.map((kind): [Kind, JudgedSlope] => {
    const { perMinute, error } = slopeOf(samples[kind])
    const limit = SLOPE_LIMITS[kind]
    const isOver = perMinute - CERTAINTY * error > limit
    return [kind, { perMinute: rounded(perMinute), limit, error: rounded(error), isOver }]
  })
  return Object.fromEntries(slopes) as Record<Kind, JudgedSlope>
}

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000
}
