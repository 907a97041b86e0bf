/** Tasks that do harm: to their worker's memory, to its time, to their page, to its end. */
import type { SlotId } from '../../machines/protocol.ts'
import type { TaskOutcome } from '../../src/index.ts'
import type { Random } from './random.ts'
import type { Scenario } from './scenario.ts'

const ENDLESS = ['never', 'neverPlain', 'spin'] as const
const FIRST = { priority: 0, attempts: 1 } as const
/** A heap fills in one or two seconds, on a loaded machine in more. */
const HOARD_LIMIT_MS = 20_000

/** The worker's heap is out of memory: V8 aborts it. */
export async function heapOut(scenario: Scenario): Promise<void> {
  const outcome = await scenario.oracle
    .submit('hoard', null, { ...FIRST, timeout: HOARD_LIMIT_MS })
    .outcome()
  await served(scenario, ended(outcome, 'failed'))
}

/** A page that never yields. Its worker should outlive it. */
export async function hangPage(scenario: Scenario): Promise<void> {
  const exits = new Set<string>()
  const { unsubscribe } = scenario.pool.on('worker.exited', ({ slot }) => exits.add(slot))
  try {
    const outcome = await scenario.oracle
      .submit('hangPage', null, { ...FIRST, timeout: 700 })
      .outcome()
    const slot = ended(outcome, 'failed')
    if (outcome.status !== 'succeeded' && outcome.error.code === 'TASK_TIMED_OUT') {
      scenario.measures.hungPages++
      if (!exits.has(slot)) scenario.measures.hungPagesKept++
    }
    await served(scenario, slot)
  } finally {
    unsubscribe()
  }
}

/** A handler that never ends: waiting in a tab, waiting without one, or keeping its processor. */
export async function endless(scenario: Scenario, random: Random): Promise<void> {
  const name = random.pick(ENDLESS)
  const outcome = await scenario.oracle.submit(name, null, { ...FIRST, timeout: 500 }).outcome()
  await served(scenario, ended(outcome, 'failed'))
}

/** A dialog nobody answers. */
export async function openAlert(scenario: Scenario): Promise<void> {
  const outcome = await scenario.oracle
    .submit('alert', null, { ...FIRST, timeout: 1_000 })
    .outcome()
  await served(scenario, outcome.worker)
}

/** A worker that is replaced, whose browser does not close. */
export async function hungClose(scenario: Scenario): Promise<void> {
  const exits = new Map<number, () => void>()
  const gone = new Set<number>()
  const pids = new Map<string, number>()
  for (const { slot, incarnation, pid } of scenario.pool.status().workers) {
    if (pid !== null) pids.set(`${slot}.${incarnation}`, pid)
  }
  const subscriptions = [
    scenario.pool.on('worker.ready', ({ slot, incarnation, pid }) => {
      pids.set(`${slot}.${incarnation}`, pid)
    }),
    scenario.pool.on('worker.exited', ({ slot, incarnation }) => {
      const pid = pids.get(`${slot}.${incarnation}`) ?? 0
      gone.add(pid)
      exits.get(pid)?.()
    }),
  ]
  const outcome = await scenario.oracle
    .submit('hangClose', null, { ...FIRST, timeout: 5_000 })
    .outcome()
  if (outcome.status === 'succeeded') {
    const pid = Number(outcome.value)
    if (!gone.has(pid) && !isStaying(scenario, pid)) {
      await new Promise<void>((resolve) => exits.set(pid, resolve))
    }
  }
  for (const { unsubscribe } of subscriptions) unsubscribe()
  await served(scenario, outcome.worker)
}

/** A worker whose own predecessor still leaves does not hear that it is to be replaced. */
function isStaying(scenario: Scenario, pid: number): boolean {
  const worker = scenario.pool.status().workers.find((status) => status.pid === pid)
  return worker?.state.startsWith('ready') === true
}

/** The slot that the task ended on, once it ended as it must. */
function ended(outcome: TaskOutcome, status: TaskOutcome['status']): SlotId {
  if (outcome.status !== status || outcome.worker === null) {
    throw new Error(`${outcome.name} should have ${status}, and has ${outcome.status}`)
  }
  return outcome.worker
}

async function served(scenario: Scenario, slot: SlotId | null): Promise<void> {
  if (slot !== null) await scenario.serves(slot)
}
