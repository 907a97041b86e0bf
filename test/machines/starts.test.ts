/**
 * G5. Leave to start, in the order of words: who gets it, when it is given back, and what a word that is
 * lost, doubled or too late does to it. The supervisor alone, with more slots than may start at once.
 */
import { describe, expect, test } from 'vitest'
import { initialTransition, transition } from 'xstate'
import type { SupervisorEvent, SupervisorPolicy } from '../../machines/supervisor.setup.ts'
import { supervisorMachine } from '../../machines/supervisor.machine.ts'
import type { WorkersSend } from '../../machines/supervisor-messages.ts'
import type { SlotId } from '../../machines/protocol.ts'

const POLICY: SupervisorPolicy = {
  intensity: 0,
  periodMs: 50,
  cooldownMs: 1,
  maxStarting: 2,
  readingTimeoutMs: 1,
  zombieAfterMs: 10,
  scaleCooldownMs: 1,
  memory: {
    pressureRatio: 0.7,
    criticalRatio: 0.9,
    hysteresis: 0.1,
    dwellMs: 50,
    maxWorkerBytes: 0,
    killWorkerBytes: 0,
  },
  diskFloorBytes: 0,
  scaling: { minWorkers: 1, maxWorkers: 1, upAt: 0.8, downAt: 0.2, idleMs: 50 },
}
const COOLDOWN = 'xstate.after.breakerCooldown.supervisor.restarts.open'
const slot = (number: number): SlotId => `worker-${number}`

/** A supervisor that is told one thing after the other. Each answer: the numbers of those given leave. */
class Starts {
  #snapshot = initialTransition(supervisorMachine, { policy: POLICY })[0]

  get state() {
    const { value, context } = this.#snapshot
    const numbers = (slots: readonly SlotId[]) => slots.map((one) => Number(one.slice(7)))
    const { starting, launched, waiting } = context
    return {
      restarts: value.restarts,
      starting: numbers(starting),
      launched: numbers(launched),
      waiting: numbers(waiting),
    }
  }

  asks = (...numbers: readonly number[]) =>
    numbers.flatMap((number) => this.#send({ type: 'start.requested', slot: slot(number) }))
  launches = (number: number) => this.#send({ type: 'start.launched', slot: slot(number) })
  isReady = (number: number) => this.#send({ type: 'start.ended', slot: slot(number), ready: true })
  fails = (number: number) => this.#send({ type: 'start.ended', slot: slot(number), ready: false })
  crashes = (number: number) => this.#send({ type: 'worker.crashed', slot: slot(number), atMs: 0 })
  coolsDown = () => this.#send({ type: COOLDOWN } as never)
  poolCloses = () => this.#send({ type: 'pool.closed' })

  #send(event: SupervisorEvent): number[] {
    const [next, actions] = transition(supervisorMachine, this.#snapshot, event)
    this.#snapshot = next
    return actions.flatMap(({ type, params }) => {
      const reported = params as unknown as WorkersSend
      if (type !== 'workers.send' || reported.event.type !== 'start.granted') return []
      return reported.slots.map((one) => Number(one.slice(7)))
    })
  }
}

const six = () => {
  const starts = new Starts()
  expect(starts.asks(1, 2, 3, 4, 5, 6)).toEqual([1, 2])
  return starts
}

describe('a start permit', () => {
  test('is handed on at a launch, in the order in which it was asked for', () => {
    const starts = six()
    expect(starts.launches(2)).toEqual([3])
    expect(starts.launches(1)).toEqual([4])
    expect(starts.launches(3)).toEqual([5])
    expect(starts.state).toMatchObject({ starting: [4, 5], launched: [2, 1, 3], waiting: [6] })
  })

  test('is handed on once: the end of a start that has launched gives it to nobody', () => {
    const starts = six()
    expect(starts.launches(1)).toEqual([3])
    expect(starts.isReady(1)).toEqual([])
    expect(starts.launches(2)).toEqual([4])
    expect(starts.fails(2)).toEqual([])
    expect(starts.state).toMatchObject({ starting: [3, 4], launched: [], waiting: [5, 6] })
  })

  test('is handed on at the end of a start whose launch nobody heard of', () => {
    const starts = six()
    expect(starts.isReady(1)).toEqual([3])
    expect(starts.fails(2)).toEqual([4])
    expect(starts.state).toMatchObject({ starting: [3, 4], launched: [] })
  })

  test('is not given twice for a launch that is told twice', () => {
    const starts = six()
    expect(starts.launches(1)).toEqual([3])
    expect(starts.launches(1)).toEqual([])
    expect(starts.isReady(1)).toEqual([])
    expect(starts.launches(1)).toEqual([])
    expect(starts.state).toMatchObject({ starting: [2, 3], launched: [], waiting: [4, 5, 6] })
  })

  test('is not given by one that waits, or that was never given any', () => {
    const starts = six()
    expect([...starts.launches(5), ...starts.launches(9)]).toEqual([])
    expect(starts.state).toMatchObject({ starting: [1, 2], launched: [], waiting: [3, 4, 5, 6] })
  })

  test('is asked for anew by one that died after its launch', () => {
    const starts = new Starts()
    expect(starts.asks(1, 2)).toEqual([1, 2])
    starts.launches(1)
    starts.fails(1)
    expect(starts.asks(1)).toEqual([1])
    expect(starts.state).toMatchObject({ starting: [2, 1], launched: [] })
  })

  test('is forgotten with the pool, and so is who has given it back', () => {
    const starts = six()
    starts.launches(1)
    starts.poolCloses()
    expect([...starts.launches(2), ...starts.isReady(1)]).toEqual([])
    expect(starts.state).toMatchObject({ starting: [], launched: [], waiting: [] })
  })
})

describe('the breaker', () => {
  const halfOpen = () => {
    const starts = new Starts()
    starts.crashes(9)
    expect(starts.asks(1, 2, 3, 4)).toEqual([])
    expect(starts.coolsDown()).toEqual([1])
    return starts
  }

  test('takes a launch for no answer: one probes, until it is ready', () => {
    const starts = halfOpen()
    expect(starts.launches(1)).toEqual([])
    expect(starts.asks(5)).toEqual([])
    expect(starts.state).toMatchObject({ restarts: { halfOpen: 'probing' }, launched: [1] })
  })

  test('lets all others follow a probe that is ready, as many at once as may', () => {
    const starts = halfOpen()
    starts.launches(1)
    expect(starts.isReady(1)).toEqual([2, 3])
    expect(starts.state).toMatchObject({ restarts: 'closed', waiting: [4] })
  })

  test('tries another when a probe fails after its launch', () => {
    const starts = halfOpen()
    starts.launches(1)
    expect(starts.fails(1)).toEqual([2])
    expect(starts.state).toMatchObject({ restarts: { halfOpen: 'probing' }, starting: [2] })
  })

  test('opens again at the crash of a probe that had launched', () => {
    const starts = halfOpen()
    starts.launches(1)
    starts.crashes(1)
    expect(starts.fails(1)).toEqual([])
    expect(starts.state).toMatchObject({ restarts: 'open', starting: [], launched: [] })
  })

  test('takes those for its probe that launched before it opened, or while it was open', () => {
    const starts = six()
    starts.launches(1)
    starts.crashes(9)
    expect(starts.launches(2)).toEqual([])
    expect(starts.coolsDown()).toEqual([])
    expect(starts.fails(3)).toEqual([])
    expect(starts.fails(2)).toEqual([])
    expect(starts.state).toMatchObject({ restarts: { halfOpen: 'probing' }, launched: [1] })
    expect(starts.isReady(1)).toEqual([4, 5])
  })
})
