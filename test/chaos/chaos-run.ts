/**
 * One chaos run: a pool with a real Chromium in each worker, honest tasks flowing, faults falling
 * on it, and at the end the count: by the client's own books, and by the operating system.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPoolActor } from '../../src/index.ts'
import { leftAfter, takeCensus } from '../support/census.ts'
import { type ChaosReport, countByName, largest, median } from './chaos-report.ts'
import { type ChaosPool, type ChaosTasks, ClientOracle } from './client-oracle.ts'
import { SITE_VARIABLE, startSite } from './chaos-site.ts'
import { type FaultName, type PlannedFault, planFaults } from './fault-plan.ts'
import { GONE_WITHIN_MS, Graves } from './graves.ts'
import { mountDisk } from './small-disk.ts'
import { Scenario } from './scenario.ts'
import { startLoad } from './steady-load.ts'

/** A fault whose event has not come by then has left something wedged. */
const FAULT_LIMIT_MS = 60_000
const INTERRUPTED = 130
const DISK_MEGABYTES = 384
/** Of a worker's JavaScript heap, so that it is soon full. */
const HEAP_MEGABYTES = 96

export interface ChaosOptions {
  readonly kills: number
  readonly seed: number
  readonly workers: number
  /** Faults under way at once, each on a worker of its own. */
  readonly lanes: number
  readonly kinds: readonly FaultName[]
  /** Told of every fault as it is over. */
  readonly onFault: (fault: PlannedFault, tookMs: number, problem: string | null) => void
}

export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const startedMs = performance.now()
  using ground = takeGround()
  using site = await startSite()
  process.env[SITE_VARIABLE] = site.url
  process.env['NODE_OPTIONS'] = `--max-old-space-size=${HEAP_MEGABYTES}`
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ground.abandon())
  const { disk, root } = ground
  const skipped: [FaultName, string][] = disk.problem === null ? [] : [['fullDisk', disk.problem]]
  using census = takeCensus({ root })
  const unexpected: string[] = []
  const pool = chaosPool(options.workers, root, ground.base, unexpected)
  const scenario = new Scenario({
    pool,
    oracle: new ClientOracle(pool),
    graves: new Graves(),
    site,
    disk,
    root,
    hostRoots: ground.hosts,
  })
  watchProfiles(scenario)
  pool.start()
  const load = startLoad(scenario.oracle, 2 * options.workers)
  const possible = options.kinds.filter((kind) => !skipped.some(([name]) => name === kind))
  const plan = planFaults(options.kills, options.seed, possible)
  const unhealed = await injectAll(scenario, plan, options)
  const capacityBack = await isWhole(scenario)
  await within(load.stop(), FAULT_LIMIT_MS, 'the load did not end').catch(noteIn(unhealed))
  await pool.shutdown({ force: unhealed.length > 0 })
  await scenario.graves.settled()
  const left = await leftAfter(census, { withinMs: GONE_WITHIN_MS })
  const { graves, measures, oracle } = scenario
  const processesLeft = [...graves.orphans, ...left.processes]
  const foldersLeft = [...graves.folders, ...left.folders]
  return {
    seed: options.seed,
    workers: options.workers,
    kills: plan.length,
    faultsByKind: countByName(plan),
    ...oracle.summary(),
    orphanProcesses: processesLeft.length,
    orphanMsMax: graves.orphanMsMax,
    profilesLeft: foldersLeft.length,
    recoveryMsP50: median(measures.workerMs),
    recoveryMsMax: largest(measures.workerMs),
    browserMsP50: median(measures.browserMs),
    browserMsMax: largest(measures.browserMs),
    hungPages: measures.hungPages,
    hungPagesKept: measures.hungPagesKept,
    capacityBack,
    unhealed,
    unexpectedEvents: unexpected,
    skipped: skipped.map(([name, reason]) => `${name}: ${reason}`),
    left: [...processesLeft.map(({ pid, command }) => `${pid} ${command}`), ...foldersLeft],
    wallMs: Math.round(performance.now() - startedMs),
  }
}

/**
 * The folders of a run: a small disk for the pool, roots for the pools of other processes, a base
 * profile.
 */
function takeGround() {
  const base = mkdtempSync(join(tmpdir(), 'chaos-'))
  const disk = mountDisk(join(base, 'disk'), DISK_MEGABYTES)
  const root = join(disk.folder, 'pool')
  const hosts = join(base, 'hosts')
  for (const folder of [root, hosts, join(base, 'profile', 'Default')]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  }
  writeFileSync(join(base, 'profile', 'Default', 'Preferences'), '{"profile":{"name":"Ada"}}')
  const remove = () => {
    disk.unmount()
    rmSync(base, { recursive: true, force: true })
  }
  return {
    base,
    disk,
    root,
    hosts,
    [Symbol.dispose]: remove,
    /** The run was interrupted. The pool's own exit handler kills what is left of it. */
    abandon: () => {
      process.once('exit', remove)
      process.exit(INTERRUPTED)
    },
  }
}

function chaosPool(workers: number, root: string, base: string, unexpected: string[]): ChaosPool {
  const quiet = () => undefined
  const error = (message: string, fields?: { readonly code?: unknown }) => {
    if (fields?.code === 'UNEXPECTED_EVENT' || message === 'UNEXPECTED_EVENT')
      unexpected.push(`${message} ${JSON.stringify(fields)}`)
  }
  return createPoolActor<ChaosTasks>({
    tasks: new URL('./chaos-tasks.ts', import.meta.url),
    workers,
    runFolder: root,
    logger: { error, warn: quiet, info: quiet, debug: quiet },
    signals: false,
    cancelGrace: 300,
    closeTimeout: 2_000,
    heartbeatInterval: 250,
    zombieAfter: 2_000,
    startTimeout: 15_000,
    // A slot is struck every few seconds: it must not pay for faults that are over, and the breaker
    // is not what is tested.
    restart: { resetBackoffAfter: 100, intensity: 10_000 },
    browser: { baseProfile: join(base, 'profile'), launchTimeout: 8_000 },
  })
}

/** A profile goes with its process, whoever ended it. */
function watchProfiles({ pool, graves, root }: Scenario): void {
  pool.on('worker.exited', ({ slot, incarnation }) => {
    graves.watchProfile(root, `${slot}.${incarnation}`)
  })
}

/** Resolves with what did not heal. */
async function injectAll(
  scenario: Scenario,
  plan: readonly PlannedFault[],
  { lanes, onFault }: ChaosOptions,
): Promise<string[]> {
  const unhealed: string[] = []
  const waiting = [...plan]
  const lane = async () => {
    for (let fault = waiting.shift(); fault !== undefined; fault = waiting.shift()) {
      const startedMs = performance.now()
      const problem = await within(fault.inject(scenario, fault.random), FAULT_LIMIT_MS, 'no end')
        .then(() => null)
        .catch((error: Error) => `${error.message} (${scenario.report()})`)
      if (problem !== null) unhealed.push(`${fault.number} ${fault.name}: ${problem}`)
      onFault(fault, Math.round(performance.now() - startedMs), problem)
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return unhealed
}

/** Every slot does a browser task that began after all the faults. */
async function isWhole(scenario: Scenario): Promise<boolean> {
  const slots = scenario.pool.status().workers.map(({ slot }) => slot)
  const all = Promise.all(slots.map((slot) => scenario.serves(slot)))
  return within(all, FAULT_LIMIT_MS, 'capacity is not back').then(
    () => true,
    () => false,
  )
}

async function within<T>(work: Promise<T>, limitMs: number, problem: string): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`${problem} within ${limitMs} ms`)), limitMs)
  try {
    return await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
  }
}

function noteIn(problems: string[]) {
  return (error: Error) => void problems.push(error.message)
}
