/**
 * Plays one cell of the fault matrix on a real pool with one slot, real processes and the scripted
 * browser, and asks of every cell the same: each task ended once and as it must, the slot works
 * again, and the operating system has nothing left.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { TaskHandle, TaskOutcome } from '../../src/index.ts'
import type { PoolEvents } from '../../src/api/events.ts'
import { nothingLeft } from './census.ts'
import { refuseFork } from './fault-fork.ts'
import { type FaultPlan, setMark, type Spot, whenMarked, withPlan } from './fault-plan.ts'
import type { Cell, Moment } from './fault-table.ts'
import { type PoolUnderTest, poolUnderTest } from './pool-under-test.ts'

type Tasks = typeof import('../fixtures/matrix-tasks.ts')
type Exit = PoolEvents['worker.exited']

const SILENCE_MS = 700
const START_LIMIT_MS = 2_000
const LAUNCH_LIMIT_MS = 400
const CLOSE_LIMIT_MS = 250
const CANCEL_GRACE_MS = 50
/** Aborting, closing, SIGTERM (2 s), SIGKILL, sweeping, and a busy machine. */
const SHUTDOWN_LIMIT_MS = CANCEL_GRACE_MS + CLOSE_LIMIT_MS + 2_000 + 1_500
const POLL = { timeout: 10_000, interval: 3 } as const

const SPOTS: Readonly<Record<Moment, Spot>> = {
  forking: 'forking',
  launching: 'launching',
  idle: 'signalled',
  busy: 'working',
  recycling: 'leaving',
  succeeding: 'launching',
  retiring: 'leaving',
  stopping: 'closing',
}

export class CellScenario implements AsyncDisposable {
  readonly cell: Cell
  readonly plan: FaultPlan
  readonly troupe: PoolUnderTest<Tasks>
  /** A process never gets ready, and only the limit of its start says so. */
  readonly isStuckStart: boolean
  readonly exits: Exit[] = []
  /** Of each task, the ends that were announced. */
  readonly ends = new Map<string, TaskOutcome[]>()
  readonly #handles: TaskHandle[] = []
  readonly #errors: string[] = []

  constructor(cell: Cell) {
    this.cell = cell
    this.plan = planFor(cell, mkdtempSync(join(tmpdir(), 'troupe-matrix-')))
    const { effect, name } = cell.fault
    this.isStuckStart = isStuckStart(cell)
    this.troupe = poolUnderTest<Tasks>({
      tasks: new URL(withPlan('../fixtures/matrix-tasks.ts', this.plan)),
      workers: 1,
      logger: this.#logger(),
      heartbeatInterval: 50,
      zombieAfter: effect.kind === 'silent' ? SILENCE_MS : 30_000,
      startTimeout: this.isStuckStart ? START_LIMIT_MS : 30_000,
      closeTimeout: CLOSE_LIMIT_MS,
      cancelGrace: CANCEL_GRACE_MS,
      restart: { minBackoff: 10, maxBackoff: 50 },
      browser: {
        driver: new URL(withPlan('../fixtures/matrix-browser.ts', this.plan)),
        launchTimeout: name === 'hung start' ? LAUNCH_LIMIT_MS : 20_000,
      },
    })
    const { pool } = this.troupe
    pool.on('worker.exited', (exit) => this.exits.push(exit))
    for (const type of ['task.succeeded', 'task.failed', 'task.cancelled'] as const) {
      pool.on(type, (outcome) => {
        this.ends.set(outcome.taskId, [...(this.ends.get(outcome.taskId) ?? []), outcome])
      })
    }
  }

  get pool(): PoolUnderTest<Tasks>['pool'] {
    return this.troupe.pool
  }

  get state(): string {
    return this.pool.status().workers[0]?.state ?? ''
  }

  submit(name: 'echo' | 'work' | 'wait', payload: string): TaskHandle {
    const handle = this.pool.submit(name, payload) as TaskHandle
    this.#handles.push(handle)
    return handle
  }

  /** The exit of an incarnation, confirmed and told. */
  async exitOf(incarnation: number): Promise<Exit> {
    const find = () => this.exits.find((exit) => exit.incarnation === incarnation)
    await expect.poll(find, POLL).toBeDefined()
    return find() as Exit
  }

  async becomes(isSo: () => boolean): Promise<void> {
    await expect.poll(isSo, POLL).toBe(true)
  }

  release(): void {
    setMark(this.plan, 'released')
  }

  async struck(): Promise<void> {
    await whenMarked(this.plan, 'struck')
  }

  async survived(): Promise<void> {
    await whenMarked(this.plan, 'survived')
  }

  /** The slot does what it is asked, with nothing left over from the fault. */
  async capacityIsBack(): Promise<void> {
    const handle = this.submit('echo', 'next')
    expect(await handle.outcome()).toMatchObject({
      status: 'succeeded',
      value: 'next',
      attempts: 1,
    })
    expect(this.pool.status().state).toBe('running')
  }

  /**
   * A shutdown by the book, within its limits; afterwards nothing of the pool is on the machine.
   */
  async endsInBound(): Promise<void> {
    const begunMs = performance.now()
    await this.pool.shutdown()
    expect(performance.now() - begunMs).toBeLessThan(SHUTDOWN_LIMIT_MS)
    await nothingLeft(this.troupe.census, { withinMs: 2_000 })
  }

  /** Exactly one end for each task, in the books and in the news. */
  oracleAgrees(): void {
    const { tasks } = this.pool.status()
    expect(tasks).toMatchObject({ submitted: this.#handles.length, pending: 0, active: 0 })
    expect(tasks.succeeded + tasks.failed + tasks.cancelled).toBe(this.#handles.length)
    for (const { id } of this.#handles) expect(this.ends.get(id)?.length).toBe(1)
    expect(this.#errors.filter((line) => line.includes('UNEXPECTED_EVENT'))).toEqual([])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Whatever still waits for a word of ours must not hold up the end.
    this.release()
    await this.troupe[Symbol.asyncDispose]()
    rmSync(this.plan.folder, { recursive: true, force: true })
  }

  #logger() {
    const ignore = () => undefined
    const error = (message: string, fields?: object) =>
      this.#errors.push(`${message} ${JSON.stringify(fields)}`)
    return { error, warn: ignore, info: ignore, debug: ignore }
  }
}

function planFor({ fault, moment }: Cell, folder: string): FaultPlan {
  const { effect, inject, name } = fault
  // The parent refuses the fork of a worker; that of a browser fails in the worker.
  const isOfParent = effect.kind === 'unborn' && moment !== 'launching'
  return {
    folder,
    inject: isOfParent ? null : inject,
    spot: spotOf(name, moment),
    process: moment === 'succeeding' ? 2 : 1,
    work: workOf(name, moment),
    holdSecond: moment === 'recycling',
  }
}

function spotOf(fault: string, moment: Moment): Spot {
  if (fault === 'hung start' && moment === 'stopping') return 'launching'
  if (fault === 'hung close' && moment === 'retiring') return 'closing'
  return SPOTS[moment]
}

function workOf(fault: string, moment: Moment): FaultPlan['work'] {
  if (fault === 'hung close' && moment === 'retiring') return 'retireAndEnd'
  const isRecycled = moment === 'recycling' || moment === 'succeeding' || moment === 'retiring'
  return isRecycled ? 'retireAndWait' : 'end'
}

/** Lets the parent's fork fail, where that is the fault. */
export function refusalFor({ fault, moment }: Cell): Disposable {
  const { effect } = fault
  if (effect.kind !== 'unborn' || moment === 'launching')
    return { [Symbol.dispose]: () => undefined }
  return refuseFork(moment === 'succeeding' ? 2 : 1, effect.code)
}

/**
 * Silence is held against a process from its first word on: until then the limit of the start is
 * the judge. A launch that hangs has a limit of its own in the session.
 */
function isStuckStart({ fault, moment }: Cell): boolean {
  if (fault.name === 'hung start') return moment !== 'launching' && moment !== 'succeeding'
  return fault.effect.kind === 'silent' && moment === 'forking'
}
