/**
 * How each moment of the fault matrix is brought about, and what must come of the fault there. A scene ends when the
 * slot is to be tried again.
 */
import { expect } from 'vitest'
import type { TaskHandle } from '../../src/index.ts'
import type { CellScenario } from './fault-cell.ts'
import type { Moment } from './fault-table.ts'

type Scene = (scenario: CellScenario) => Promise<void>

/** The task ended well, and took so many starts. */
async function succeeds(task: TaskHandle, attempts: number): Promise<void> {
  expect(await task.outcome()).toMatchObject({ status: 'succeeded', value: 'done', attempts })
}

/** It says nothing wrong about how its process went. */
async function exitIsReported(scenario: CellScenario, incarnation: number): Promise<void> {
  const { effect } = scenario.cell.fault
  const exit = await scenario.exitOf(incarnation)
  if (scenario.isStuckStart) {
    expect(exit).toMatchObject({ cause: 'startTimedOut', exit: { signal: 'SIGKILL' } })
  } else if (effect.kind === 'dies') {
    const { code, signal } = effect
    expect(exit).toMatchObject({ cause: 'crashed', exit: { code, signal } })
  } else if (effect.kind === 'silent') {
    expect(exit).toMatchObject({ cause: 'silent', exit: { code: null, signal: 'SIGKILL' } })
  } else if (scenario.cell.moment === 'launching' || effect.kind === 'hangs') {
    // The worker says that its browser failed, and is ended for it.
    expect(exit).toMatchObject({ cause: 'startFailed', exit: { code: null, signal: 'SIGKILL' } })
  } else if (effect.kind === 'unborn') {
    expect(exit).toMatchObject({ cause: 'crashed', exit: { code: null, signal: null } })
  }
}

/** The task has waited all along, so the fault costs it nothing, unless no start is left to hope for. */
const starting: Scene = async (scenario) => {
  const { pool, cell } = scenario
  const { effect } = cell.fault
  pool.start()
  const task = scenario.submit('work', 'done')
  const reason = hopeless(scenario)
  if (reason !== null) {
    expect(await task.outcome()).toMatchObject({ status: 'failed', error: { code: reason } })
    expect(pool.status().state).toBe('error')
    pool.recover()
    pool.start()
    return
  }
  await succeeds(task, 1)
  if (effect.kind === 'survives') expect(pool.status().processesStarted).toBe(1)
  else await exitIsReported(scenario, 1)
}

/** Why the pool, with its one slot, gives up: nothing will ever be ready. */
function hopeless({ cell }: CellScenario): string | null {
  const isMissing = cell.moment === 'launching' && cell.fault.name === 'fork failure ENOENT'
  return isMissing ? 'BROWSER_NOT_FOUND' : null
}

const idle: Scene = async (scenario) => {
  const { pool, cell } = scenario
  pool.start()
  await scenario.submit('echo', 'first').outcome()
  await scenario.becomes(() => scenario.state === 'ready.idle')
  process.kill(pool.status().workers[0]?.pid ?? 0, 'SIGUSR2')
  if (cell.fault.effect.kind === 'survives') await scenario.survived()
  else await exitIsReported(scenario, 1)
  await succeeds(scenario.submit('work', 'done'), 1)
}

const busy: Scene = async (scenario) => {
  const { pool, cell } = scenario
  pool.start()
  const task = scenario.submit('work', 'done')
  if (cell.fault.effect.kind === 'survives') return succeeds(task, 1)
  await exitIsReported(scenario, 1)
  await succeeds(task, 2)
}

/** The fault is that of the process that serves, while its successor starts. */
const recycling: Scene = async (scenario) => {
  const { pool, cell } = scenario
  pool.start()
  const task = scenario.submit('work', 'done')
  await scenario.struck()
  if (cell.fault.effect.kind === 'survives') {
    await scenario.survived()
    scenario.release()
    return succeeds(task, 1)
  }
  await exitIsReported(scenario, 1)
  scenario.release()
  await succeeds(task, 2)
}

/** The fault is the successor's: what the other serves meanwhile hears nothing of it. */
const succeeding: Scene = async (scenario) => {
  const { pool, cell } = scenario
  pool.start()
  const task = scenario.submit('work', 'done')
  await scenario.becomes(() => pool.status().processesStarted === 2)
  if (cell.fault.effect.kind !== 'unborn') await scenario.struck()
  await scenario.becomes(() => scenario.state.startsWith('ready'))
  if (cell.fault.effect.kind !== 'survives') await exitIsReported(scenario, 2)
  scenario.release()
  await succeeds(task, 1)
}

/** The fault is that of the process that has been replaced; the new one serves on beside it. */
const retiring: Scene = async (scenario) => {
  const { pool, cell } = scenario
  pool.start()
  const task = scenario.submit('work', 'done')
  const isSecond = () => pool.status().workers[0]?.incarnation === 2
  await scenario.becomes(() => isSecond() && scenario.state.startsWith('ready'))
  if (cell.fault.name === 'hung close') {
    await succeeds(task, 1)
    expect(await scenario.exitOf(1)).toMatchObject({ exit: { code: null, signal: 'SIGKILL' } })
    return
  }
  const beside = scenario.submit('wait', 'done')
  await scenario.becomes(() => beside.status().state === 'running')
  scenario.release()
  await succeeds(beside, 1)
  const survives = cell.fault.effect.kind === 'survives'
  if (!survives) await exitIsReported(scenario, 1)
  await succeeds(task, survives ? 1 : 2)
}

/** One task runs and one waits when the shutdown comes; the fault comes while the session closes. */
const stopping: Scene = async (scenario) => {
  const { pool, cell } = scenario
  pool.start()
  const running = scenario.submit('wait', 'done')
  if (cell.fault.name === 'hung start') await scenario.struck()
  else await scenario.becomes(() => running.status().state === 'running')
  const waiting = scenario.submit('work', 'done')
  const ended = scenario.endsInBound()
  scenario.release()
  if (cell.fault.name === 'hung start') {
    expect(await running.outcome()).toMatchObject({ status: 'cancelled', attempts: 0 })
  } else {
    await succeeds(running, 1)
  }
  expect(await waiting.outcome()).toMatchObject({ status: 'cancelled', attempts: 0 })
  await ended
  pool.start()
}

export const SCENES: Readonly<Record<Moment, Scene>> = {
  forking: starting,
  launching: starting,
  idle,
  busy,
  recycling,
  succeeding,
  retiring,
  stopping,
}
