/** Tasks that do harm: to their worker's memory, to its time, to their page, to its end. */
import type { SlotId } from '../../machines/vocabulary.ts'
import type { TaskOutcome } from '../../src/index.ts'
import type { Random } from './random.ts'
import type { Stage } from './stage.ts'

const ENDLESS = ['never', 'neverPlain', 'spin'] as const
const FIRST = { priority: 0, attempts: 1 } as const
/** A heap fills in one or two seconds, on a loaded machine in more. */
const HOARD_LIMIT_MS = 20_000

/** The worker's heap is out of memory: V8 aborts it. */
export async function heapOut(stage: Stage): Promise<void> {
  const outcome = await stage.books
    .submit('hoard', null, { ...FIRST, timeout: HOARD_LIMIT_MS })
    .outcome()
  await served(stage, ended(outcome, 'failed'))
}

/** A page that never yields. Its worker should outlive it. */
export async function hangPage(stage: Stage): Promise<void> {
  const exits = new Set<string>()
  const { unsubscribe } = stage.pool.on('worker.exited', ({ slot }) => exits.add(slot))
  try {
    const outcome = await stage.books.submit('hangPage', null, { ...FIRST, timeout: 700 }).outcome()
    const slot = ended(outcome, 'failed')
    if (outcome.status !== 'succeeded' && outcome.error.code === 'TASK_TIMED_OUT') {
      stage.measures.hungPages++
      if (!exits.has(slot)) stage.measures.hungPagesKept++
    }
    await served(stage, slot)
  } finally {
    unsubscribe()
  }
}

/** A handler that never ends: waiting in a tab, waiting without one, or keeping its processor. */
export async function endless(stage: Stage, random: Random): Promise<void> {
  const name = random.pick(ENDLESS)
  const outcome = await stage.books.submit(name, null, { ...FIRST, timeout: 500 }).outcome()
  await served(stage, ended(outcome, 'failed'))
}

/** A dialog nobody answers. */
export async function openAlert(stage: Stage): Promise<void> {
  const outcome = await stage.books.submit('alert', null, { ...FIRST, timeout: 1_000 }).outcome()
  await served(stage, outcome.worker)
}

/** A worker that is replaced, whose browser does not close. */
export async function hungClose(stage: Stage): Promise<void> {
  const exits = new Map<number, () => void>()
  const gone = new Set<number>()
  const pids = new Map<string, number>()
  for (const { slot, incarnation, pid } of stage.pool.status().workers) {
    if (pid !== null) pids.set(`${slot}.${incarnation}`, pid)
  }
  const subscriptions = [
    stage.pool.on('worker.ready', ({ slot, incarnation, pid }) => {
      pids.set(`${slot}.${incarnation}`, pid)
    }),
    stage.pool.on('worker.exited', ({ slot, incarnation }) => {
      const pid = pids.get(`${slot}.${incarnation}`) ?? 0
      gone.add(pid)
      exits.get(pid)?.()
    }),
  ]
  const outcome = await stage.books
    .submit('hangClose', null, { ...FIRST, timeout: 5_000 })
    .outcome()
  if (outcome.status === 'succeeded') {
    const pid = Number(outcome.value)
    if (!gone.has(pid) && !isStaying(stage, pid)) {
      await new Promise<void>((resolve) => exits.set(pid, resolve))
    }
  }
  for (const { unsubscribe } of subscriptions) unsubscribe()
  await served(stage, outcome.worker)
}

/** A worker whose own predecessor still leaves does not hear that it is to be replaced. */
function isStaying(stage: Stage, pid: number): boolean {
  const worker = stage.pool.status().workers.find((status) => status.pid === pid)
  return worker?.state.startsWith('ready') === true
}

/** The slot that the task ended on, once it ended as it must. */
function ended(outcome: TaskOutcome, status: TaskOutcome['status']): SlotId {
  if (outcome.status !== status || outcome.worker === null) {
    throw new Error(`${outcome.name} should have ${status}, and has ${outcome.status}`)
  }
  return outcome.worker
}

async function served(stage: Stage, slot: SlotId | null): Promise<void> {
  if (slot !== null) await stage.serves(slot)
}
