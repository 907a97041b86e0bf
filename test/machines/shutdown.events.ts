/** Every event a shutdown may meet, and what it must have said by then. */
import type { ShutdownEvent } from '../../machines/shutdown.machine.ts'
import type { ExplorePlan, Step } from '../support/explore.ts'

export const shutdownEvents: { readonly [T in ShutdownEvent['type']]: readonly ShutdownEvent[] } = {
  'shutdown.begin': [
    { type: 'shutdown.begin', force: false },
    { type: 'shutdown.begin', force: true },
  ],
  'shutdown.force': [{ type: 'shutdown.force' }],
  'ledger.calmed': [{ type: 'ledger.calmed' }],
  'workers.gone': [{ type: 'workers.gone' }],
  'run.swept': [{ type: 'run.swept' }],
  'run.aborted': [{ type: 'run.aborted' }],
}

interface World {
  readonly isUnderWay: boolean
  readonly isIntakeOpen: boolean
}

function after({ from, event, to, commands }: Step<World>): World {
  const isIdle = from.snapshot.value === 'armed' || from.snapshot.value === 'done'
  const hasBegun = event?.type === 'shutdown.begin' && isIdle
  let { isUnderWay, isIntakeOpen } = hasBegun
    ? { isUnderWay: true, isIntakeOpen: true }
    : from.world
  for (const { params } of commands) {
    const { type } = (params ?? {}) as { type?: string }
    if (type === 'intake.close') isIntakeOpen = false
    if (type === 'workers.end' && isIntakeOpen) throw new Error('workers end under an open intake')
    if (type === 'shutdown.finished') {
      if (!isUnderWay) throw new Error('finished what had not begun')
      if (isIntakeOpen) throw new Error('finished with an open intake')
      isUnderWay = false
    }
  }
  if (to.value === 'done' && isUnderWay) throw new Error('done without a word')
  return { isUnderWay, isIntakeOpen }
}

export const shutdownPlan: ExplorePlan<World> = {
  inputs: [
    {
      policy: {
        drainTimeoutMs: 1,
        stopTimeoutMs: 1,
        terminateTimeoutMs: 1,
        killTimeoutMs: 1,
        sweepTimeoutMs: 1,
      },
    },
  ],
  world: { isUnderWay: false, isIntakeOpen: true },
  events: () => Object.values(shutdownEvents).flat(),
  after,
  maxStates: 100,
}
