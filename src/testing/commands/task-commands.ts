/**
 * Commands that hand tasks to a pool, and take them back: submit, submitAll, run, map, cancel, send
 * dead letters again. What is drawn are numbers; which task they mean is known when the command runs.
 */
import type { Arbitrary, AsyncCommand } from 'fast-check'
import type { TaskHandle } from '../../api/task.ts'
import type { FastCheck } from '../arbitraries.ts'
import type { CommandedPool, PoolOracle } from './pool-oracle.ts'
import {
  type DrawnTask,
  factsOf,
  MAX_CHOICE,
  MAX_DELAY_MS,
  NO_DEPENDENCIES,
  optionsOf,
  type Payloads,
  rarely,
  tasksOf,
  textOf,
} from './task-draws.ts'
import type { TaskMachineContext } from './task-entry.ts'
import { FALLS } from '../truth-rules.ts'

export type PoolCommand = AsyncCommand<PoolOracle, CommandedPool>

const MAX_BATCH = 4
const CLOSED = ['POOL_CLOSED', 'DRAINING']

/** One that is allowed by `check`, does `run`, and leaves the rest to the books. */
export function commandOf(
  text: string,
  check: (oracle: Readonly<PoolOracle>) => boolean,
  run: (oracle: PoolOracle, real: CommandedPool) => void | Promise<void>,
): PoolCommand {
  return {
    check,
    run: async (oracle, real) => {
      oracle.begin()
      await run(oracle, real)
      oracle.judge()
    },
    toString: () => text,
  }
}

export function submitting(fc: FastCheck, payloads: Payloads): Arbitrary<PoolCommand> {
  const abortAfterMs = rarely(fc, fc.nat({ max: MAX_DELAY_MS })).map((some) => some ?? null)
  return fc.tuple(tasksOf(fc, payloads), abortAfterMs).map(([task, abortMs]) => {
    const abort = abortMs === null ? '' : `, aborted after ${abortMs} ms`
    const text = `submit ${textOf(task)}${abort}`
    return commandOf(text, isWorthAsking, (oracle, real) => submit(oracle, real, task, abortMs))
  })
}

export function submittingAll(fc: FastCheck, payloads: Payloads): Arbitrary<PoolCommand> {
  const tasks = fc.array(tasksOf(fc, payloads), { minLength: 2, maxLength: MAX_BATCH })
  const bond = fc.constantFrom('alone', 'alone', 'chain', 'chain', 'circle')
  return fc.tuple(tasks, bond).map(([some, how]) => {
    const text = `submitAll ${some.map(textOf).join(' + ')} (${how})`
    return commandOf(text, isWorthAsking, (oracle, real) => submitAll(oracle, real, some, how))
  })
}

export function running(fc: FastCheck, payloads: Payloads): Arbitrary<PoolCommand> {
  return tasksOf(fc, payloads).map((task) =>
    commandOf(`run ${textOf(task)}`, isWorthAsking, (oracle, { pool }) => {
      const facts = factsOf(oracle, { ...task, key: null, reused: null })
      oracle.tasks.expect(facts)
      const room = oracle.roomRefusal(1) === null ? [] : ['QUEUE_FULL', ...CLOSED]
      return oracle.promise(
        'run',
        () => pool.run(task.name as never, task.payload as never, optionsOf(task, facts)),
        {
          expected: oracle.intakeRefusal,
          late: [...FALLS, ...room],
          onSettled: (code) => judgeRun(oracle, facts.id, code),
        },
      )
    }),
  )
}

/** A promise that was kept tells the same as the news. */
function judgeRun({ tasks, report }: PoolOracle, id: string, code: string | null): void {
  const last = tasks.lastOf(id)
  if (last === null) tasks.forget(id)
  const isSame = code === null ? last === 'succeeded' : last !== 'succeeded'
  if (!isSame) report(`run gave ${code ?? 'a result'}, and ${id} was told as ${last ?? 'nothing'}`)
}

export function mapping(fc: FastCheck, payloads: Payloads): Arbitrary<PoolCommand> {
  const kinds = Object.entries(payloads).map(([name, payload]) =>
    fc.record({
      name: fc.constant(name),
      some: fc.array(payload, { minLength: 1, maxLength: MAX_BATCH }),
      taken: fc.integer({ min: 1, max: MAX_BATCH }),
      ordered: fc.boolean(),
    }),
  )
  return fc.oneof(...kinds).map((drawn) => {
    const { name, some, taken } = drawn
    const text = `map ${name} over ${some.length} payloads, ${taken} outcomes taken`
    return commandOf(text, isWorthAsking, (oracle, real) =>
      oracle.promise('map', () => map(oracle, real, drawn), {
        expected: oracle.intakeRefusal,
        late: [...CLOSED, 'QUEUE_FULL'],
      }),
    )
  })
}

interface DrawnMap {
  readonly name: string
  readonly some: readonly unknown[]
  readonly taken: number
  readonly ordered: boolean
}

async function map({ tasks, report }: PoolOracle, { pool }: CommandedPool, drawn: DrawnMap) {
  const { name, some, taken, ordered } = drawn
  const ids = some.map(() => tasks.newId())
  for (const id of ids) tasks.expect({ id, name, ...NO_DEPENDENCIES })
  const unused = [...ids]
  const options = { ordered, id: () => unused.shift() }
  let left = taken
  for await (const { taskId, status } of pool.map(name as never, some as never, options as never)) {
    if (!ids.includes(taskId)) report(`map gives ${taskId}, which is not one of its tasks`)
    if (!tasks.hasEndedAs(taskId, status)) report(`map gives ${taskId} as ${status}, untold`)
    if (--left === 0) break
  }
}

export function cancelling(fc: FastCheck): Arbitrary<PoolCommand> {
  return fc.nat({ max: MAX_CHOICE }).map((choice) =>
    commandOf(
      `cancel task ${choice}`,
      ({ tasks }) => tasks.unended().length > 0,
      (oracle, { scenario }) => {
        const { tasks } = oracle
        // Of those that have not ended mostly: to cancel another is allowed, and does nothing.
        const some = choice % 5 === 0 ? tasks.ids : tasks.unended()
        const id = some[choice % some.length] as string
        const handle = tasks.handleOf(id)
        if (handle === null) return
        const isOver = tasks.hasEnded(id)
        tasks.cancel(id, handle.status().state, scenario.nowMs)
        const isTaken = handle.cancel()
        oracle.note(isTaken ? 'cancel' : 'cancel of an ended task')
        if (isTaken === isOver) oracle.report(`cancel of ${id} says ${isTaken}`)
      },
    ),
  )
}

export function redriving(fc: FastCheck): Arbitrary<PoolCommand> {
  return fc.constant(
    commandOf(
      'deadLetters.redriveAll',
      ({ tasks }) => tasks.sums.failed > 0,
      (oracle, { pool }) => {
        const letters = new Set(pool.deadLetters.list().letters.map(({ id }) => id))
        const { redriven } = oracle.tasks.taking(() => pool.deadLetters.redriveAll())
        const refusal = oracle.intakeRefusal
        if (refusal !== null && redriven.length > 0) {
          oracle.report(`dead letters were taken; expected ${refusal}`)
        }
        for (const handle of redriven) {
          // Another task may stand for its key: then that one is given back.
          const isBack = letters.has(handle.id) && oracle.tasks.hasEnded(handle.id)
          if (isBack) oracle.tasks.readmit(handle)
        }
        if (redriven.length > 0) oracle.note('redriven')
      },
    ),
  )
}

function submit(
  oracle: PoolOracle,
  { pool, scenario }: CommandedPool,
  task: DrawnTask,
  abortMs: number | null,
): void {
  const { tasks } = oracle
  const facts = factsOf(oracle, task)
  const stands = facts.key === null ? null : tasks.standingFor(task.name, facts.key)
  if (stands?.isSure === false) return
  const standing = stands?.id ?? null
  const isInUse = task.reused !== null && tasks.ids.includes(facts.id) && !tasks.hasEnded(facts.id)
  const refusal = isInUse ? 'CONFIG_INVALID' : oracle.roomRefusal(1)
  const abortion = abortMs === null ? null : new AbortController()
  const options = { ...optionsOf(task, facts), ...(abortion && { signal: abortion.signal }) }
  oracle.attempt('submit', oracle.intakeRefusal ?? (standing === null ? refusal : null), () => {
    const handle = tasks.taking(() =>
      pool.submit(task.name as never, task.payload as never, options),
    )
    if (handle.id !== (standing ?? facts.id)) {
      return oracle.report(`submit gives ${handle.id} for ${standing ?? facts.id}`)
    }
    if (standing !== null) return
    tasks.accept(facts, handle)
    if (abortion !== null) void abortLater(oracle, scenario, handle, abortion, abortMs ?? 0)
  })
}

async function abortLater(
  { tasks }: PoolOracle,
  scenario: CommandedPool['scenario'],
  handle: TaskHandle,
  abortion: AbortController,
  afterMs: number,
): Promise<void> {
  await scenario.advance(afterMs)
  // Its id may be another task's by now.
  if (tasks.handleOf(handle.id) === handle) {
    tasks.cancel(handle.id, handle.status().state, scenario.nowMs)
  }
  abortion.abort()
}

function submitAll(
  oracle: PoolOracle,
  { pool }: CommandedPool,
  drawn: readonly DrawnTask[],
  bond: string,
): void {
  const { tasks } = oracle
  const alone = drawn.map((task) => factsOf(oracle, { ...task, key: null, reused: null }))
  const facts = alone.map((one, at) => {
    const next = alone[at + 1] ?? (bond === 'circle' ? alone[0] : undefined)
    if (bond === 'alone' || next === undefined) return one
    return { ...one, parents: [...one.parents, next.id] }
  })
  const requests = facts.map((one, at) => {
    const { name, payload, ...task } = drawn[at] as DrawnTask
    return { name, payload, options: optionsOf(task, one) }
  })
  const refusal = bond === 'circle' ? 'CONFIG_INVALID' : oracle.roomRefusal(facts.length)
  oracle.attempt('submitAll', oracle.intakeRefusal ?? refusal, () => {
    const handles = tasks.taking(() => pool.submitAll(requests as never))
    tasks.acceptAll(handles.map((handle, at) => [facts[at] as TaskMachineContext, handle]))
  })
}

/** A refusal is worth asking for as well, but not all the time. */
function isWorthAsking({ intakeRefusal, commands }: Readonly<PoolOracle>): boolean {
  return intakeRefusal === null || commands % 3 === 0
}
