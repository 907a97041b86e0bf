/** G8. The checker of live runs itself: it takes a true run for true, and sees a false one. */
import { describe, expect, test } from 'vitest'
import { createActor, type InspectionEvent } from 'xstate'
import { shutdownMachine } from '../../machines/index.ts'
import { Conformance } from '../support/conformance.ts'

const policy = {
  drainTimeoutMs: 10,
  stopTimeoutMs: 10,
  terminateTimeoutMs: 10,
  killTimeoutMs: 10,
  sweepTimeoutMs: 10,
}
const silent = () => {}
const deeds = { 'ledger.tell': silent, 'pool.tell': silent, 'run.sweep': silent }

function run(inspect: (event: InspectionEvent) => void): void {
  const machine = shutdownMachine.provide({ actions: deeds })
  const actor = createActor(machine, { id: 'shutdown', inspect, input: { policy } }).start()
  actor.send({ type: 'shutdown.begin', force: false })
  actor.send({ type: 'shutdown.force' })
  actor.send({ type: 'workers.gone' })
  actor.send({ type: 'run.swept' })
  actor.stop()
}

describe('conformance', () => {
  test('finds nothing in a run of the machine', () => {
    const conformance = new Conformance()
    run(conformance.inspect)
    expect(conformance.differences).toEqual([])
    expect(conformance.steps).toBe(4)
  })

  test('finds a step that the machine does not take', () => {
    const conformance = new Conformance()
    run((event) => {
      const isForce = event.type === '@xstate.snapshot' && event.event.type === 'shutdown.force'
      conformance.inspect(isForce ? { ...event, event: { type: 'workers.gone' } } : event)
    })
    expect(conformance.differences).toHaveLength(1)
    expect(conformance.differences[0]).toContain('workers.gone in ["draining"')
  })
})
