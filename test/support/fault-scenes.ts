/**
 * How each moment of the fault matrix is brought about, and what must come of the fault there. A scene ends when the
 * slot is to be tried again.
 */
import { expect } from 'vitest'
import type { TaskHandle } from '../../src/index.ts'
import type { CellStage } from './fault-cell.ts'
import type { Moment } from './fault-table.ts'

type Scene = (stage: CellStage) => Promise<void>

/** The task ended well, and took so many starts. */
async function succeeds(task: TaskHandle, attempts: number): Promise<void> {
  expect(await task.outcome()).toMatchObject({ status: 'succeeded', value: 'done', attempts })
}

/** It says nothing wrong about how its process went. */
async function exitIsTold(stage: CellStage, incarnation: number): Promise<void> {
  const { effect } = stage.cell.fault
  const exit = await stage.exitOf(incarnation)
  if (stage.isStuckStart) {
    expect(exit).toMatchObject({ cause: 'startTimedOut', exit: { signal: 'SIGKILL' } })
  } else if (effect.kind === 'dies') {
    const { code, signal } = effect
    expect(exit).toMatchObject({ cause: 'crashed', exit: { code, signal } })
  } else if (effect.kind === 'silent') {
    expect(exit).toMatchObject({ cause: 'silent', exit: { code: null, signal: 'SIGKILL' } })
  } else if (stage.cell.moment === 'launching' || effect.kind === 'hangs') {
    // The worker says that its browser failed, and is ended for it.
    expect(exit).toMatchObject({ cause: 'startFailed', exit: { code: null, signal: 'SIGKILL' } })
  } else if (effect.kind === 'unborn') {
    expect(exit).toMatchObject({ cause: 'crashed', exit: { code: null, signal: null } })
  }
}

/** The task has waited all along, so the fault costs it nothing, unless no start is left to hope for. */
const starting: Scene = async (stage) => {
  const { pool, cell } = stage
  const { effect } = cell.fault
  pool.start()
  const task = stage.submit('work', 'done')
  const reason = hopeless(stage)
  if (reason !== null) {
    expect(await task.outcome()).toMatchObject({ status: 'failed', error: { code: reason } })
    expect(pool.status().state).toBe('error')
    pool.recover()
    pool.start()
    return
  }
  await succeeds(task, 1)
  if (effect.kind === 'survives') expect(pool.status().processesStarted).toBe(1)
  else await exitIsTold(stage, 1)
}

/** Why the pool, with its one slot, gives up: nothing will ever be ready. */
function hopeless({ cell }: CellStage): string | null {
  const isMissing = cell.moment === 'launching' && cell.fault.name === 'fork failure ENOENT'
  return isMissing ? 'BROWSER_NOT_FOUND' : null
}

const idle: Scene = async (stage) => {
  const { pool, cell } = stage
  pool.start()
  await stage.submit('echo', 'first').outcome()
  await stage.becomes(() => stage.state === 'ready.idle')
  process.kill(pool.status().workers[0]?.pid ?? 0, 'SIGUSR2')
  if (cell.fault.effect.kind === 'survives') await stage.survived()
  else await exitIsTold(stage, 1)
  await succeeds(stage.submit('work', 'done'), 1)
}

const busy: Scene = async (stage) => {
  const { pool, cell } = stage
  pool.start()
  const task = stage.submit('work', 'done')
  if (cell.fault.effect.kind === 'survives') return succeeds(task, 1)
  await exitIsTold(stage, 1)
  await succeeds(task, 2)
}

/** The fault is that of the process that serves, while its successor starts. */
const recycling: Scene = async (stage) => {
  const { pool, cell } = stage
  pool.start()
  const task = stage.submit('work', 'done')
  await stage.struck()
  if (cell.fault.effect.kind === 'survives') {
    await stage.survived()
    stage.release()
    return succeeds(task, 1)
  }
  await exitIsTold(stage, 1)
  stage.release()
  await succeeds(task, 2)
}

/** The fault is the successor's: what the other serves meanwhile hears nothing of it. */
const succeeding: Scene = async (stage) => {
  const { pool, cell } = stage
  pool.start()
  const task = stage.submit('work', 'done')
  await stage.becomes(() => pool.status().processesStarted === 2)
  if (cell.fault.effect.kind !== 'unborn') await stage.struck()
  await stage.becomes(() => stage.state.startsWith('ready'))
  if (cell.fault.effect.kind !== 'survives') await exitIsTold(stage, 2)
  stage.release()
  await succeeds(task, 1)
}

/** The fault is that of the process that has been replaced; the new one serves on beside it. */
const retiring: Scene = async (stage) => {
  const { pool, cell } = stage
  pool.start()
  const task = stage.submit('work', 'done')
  const isSecond = () => pool.status().workers[0]?.incarnation === 2
  await stage.becomes(() => isSecond() && stage.state.startsWith('ready'))
  if (cell.fault.name === 'hung close') {
    await succeeds(task, 1)
    expect(await stage.exitOf(1)).toMatchObject({ exit: { code: null, signal: 'SIGKILL' } })
    return
  }
  const beside = stage.submit('wait', 'done')
  await stage.becomes(() => beside.status().state === 'running')
  stage.release()
  await succeeds(beside, 1)
  const survives = cell.fault.effect.kind === 'survives'
  if (!survives) await exitIsTold(stage, 1)
  await succeeds(task, survives ? 1 : 2)
}

/** One task runs and one waits when the shutdown comes; the fault comes while the session closes. */
const stopping: Scene = async (stage) => {
  const { pool, cell } = stage
  pool.start()
  const running = stage.submit('wait', 'done')
  if (cell.fault.name === 'hung start') await stage.struck()
  else await stage.becomes(() => running.status().state === 'running')
  const waiting = stage.submit('work', 'done')
  const ended = stage.endsInBound()
  stage.release()
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
