/**
 * G4, G7: a worker that sends anything at all. The host lives, the other workers' tasks end as they
 * should, and each of its own ends once. Deep form: `TROUPE_FRAMES=200000`.
 */
import { expect, it, onTestFinished } from 'vitest'
import type { LogSink } from '../../src/common/logger.ts'
import type { TaskHandle } from '../../src/api/task.ts'
import { defineTasks, task } from '../../src/tasks.ts'
import { type PlainTaskContext } from '../../src/task/context.ts'
import { forgedFrame } from '../../src/testing/forged-frames.ts'
import { SeededRandom } from '../../src/testing/simulation/seeded-random.ts'
import {
  configFor,
  prepareSimulation,
  Simulation,
} from '../../src/testing/simulation/simulation.ts'
import { inside, useVirtualTime } from '../../src/testing/simulation/virtual-time.ts'
import { Mutations } from './frame-mutations.ts'

const FRAMES = Number(process.env['TROUPE_FRAMES'] ?? 1_000)
const LIAR = 'worker-1'
const OTHER = 'worker-2'
const IN_FLIGHT = 10
const DEFECT = /UNEXPECTED_EVENT|INVARIANT_VIOLATED|a listener threw|the pool actor failed/

const tasks = defineTasks({
  double: task(
    { browser: false },
    async ({ payload, progress, log }: PlainTaskContext<{ n: number; ms: number }>) => {
      log('begins', { n: payload.n })
      await new Promise((resolve) => setTimeout(resolve, payload.ms))
      progress(payload.n)
      return payload.n * 2
    },
  ),
})

interface Given {
  readonly n: number
  readonly handle: TaskHandle
}

it(`lives through ${FRAMES} mutated frames, and no other worker suffers`, {
  timeout: 3_600_000,
}, async () => {
  await prepareSimulation()
  onTestFinished(useVirtualTime())
  // Errors are data here, made by the thousand: their stacks would cost more than all the rest.
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  onTestFinished(() => void (Error.stackTraceLimit = stackTraceLimit))
  const mutations = new Mutations(new SeededRandom(7))
  const defects: string[] = []
  const sink: LogSink = {
    error: (message) => void (DEFECT.test(message) && defects.push(message)),
    warn: () => undefined,
    info: () => undefined,
    debug: () => undefined,
  }
  let mutated = 0
  const simulation = new Simulation({
    tasks,
    seed: 7,
    config: configFor({
      logger: sink,
      workers: 2,
      concurrentTasksPerWorker: 4,
      restart: { minBackoff: 1, maxBackoff: 1, intensity: 10_000 },
      task: { attempts: 5, backoff: { delay: 1 } },
    }),
    faults: { frameForged: 1 },
    forge: (frame, foreign, random, slot) => {
      if (slot !== LIAR) return frame
      // What the task file declares is believed, for it is said before any task runs.
      const isLoaded = frame.items.some(({ kind }) => kind === 'loaded')
      if (isLoaded) return random.chance(0.1) ? forgedFrame(frame, foreign, random, slot) : frame
      if (random.chance(0.2)) return frame
      mutated++
      return mutations.mutate(frame, foreign)
    },
  })
  simulation.user.enter = inside(simulation.user)
  onTestFinished(() => simulation.machine.killPool())
  const pool = simulation.createPool()
  const lastWorker = new Map<string, string>()
  const ends = new Map<string, unknown[]>()
  const causes = new Map<string, number>()
  pool.on('task.started', ({ taskId, worker }) => void lastWorker.set(taskId, worker))
  pool.on('worker.exited', ({ slot, cause }) => {
    const key = `${slot === LIAR ? 'liar' : 'other'} ${cause}`
    causes.set(key, (causes.get(key) ?? 0) + 1)
  })
  for (const type of ['task.succeeded', 'task.failed', 'task.cancelled'] as const) {
    pool.on(type, (outcome) => {
      const value = outcome.status === 'succeeded' ? outcome.value : outcome.error.code
      ends.set(outcome.taskId, [...(ends.get(outcome.taskId) ?? []), value])
    })
  }
  pool.start()
  const random = new SeededRandom(11)
  let given: Given[] = []
  let [submitted, byOthers, wrong, failed] = [0, 0, 0, 0]
  const judge = ({ n, handle }: Given): boolean => {
    const reported = ends.get(handle.id)
    if (reported === undefined) return false
    const isOthers = lastWorker.get(handle.id) === OTHER
    if (isOthers) byOthers++
    if (reported.length !== 1) wrong++
    const isRight = reported[0] === n * 2
    if (isOthers && !isRight) wrong++
    if (!isRight) failed++
    lastWorker.delete(handle.id)
    ends.delete(handle.id)
    return true
  }
  await simulation.runUntil(() => {
    given = given.filter((one) => !judge(one))
    const room = mutated < FRAMES ? IN_FLIGHT - given.length : 0
    for (let free = room; free > 0; free--) {
      const n = submitted++
      given.push({ n, handle: pool.submit('double', { n, ms: random.int(50, 500) }) })
    }
    return mutated >= FRAMES && given.length === 0
  })
  const exits = Object.fromEntries(causes)
  const figures = { mutated, ...mutations.drawn, submitted, byOthers, failed, wrong, ...exits }
  console.log(JSON.stringify(figures))
  expect({ wrong, defects, left: given.length }).toEqual({ wrong: 0, defects: [], left: 0 })
  // What it sent was seen to be wrong: nothing of it threw further in.
  expect(
    Object.keys(exits).filter((exit) => !/^liar (violated|startTimedOut)$/.test(exit)),
  ).toEqual([])
  expect(exits['liar violated']).toBeGreaterThan(FRAMES / 10)
  expect(byOthers).toBeGreaterThan(FRAMES / 20)
})
