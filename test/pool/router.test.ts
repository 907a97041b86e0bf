/** The router by itself: who gets a message, in which order it is shown, and what a broken tap costs. */
import { describe, expect, it } from 'vitest'
import { Router, type Tap } from '../../src/pool/router.ts'

/** A router whose actors and taps write down what reaches them. */
function noted() {
  const notes: string[] = []
  const router = new Router((name) => void notes.push(`${name} failed`))
  for (const to of ['pool', 'ledger', 'supervisor', 'shutdown', 'worker-1'] as const) {
    router.register(to, { send: (event) => void notes.push(`${to} < ${event.type}`) })
  }
  const tap = (name: string): Tap => ({
    name,
    pool: (event, from) => void notes.push(`${name}: ${from} > pool ${event.type}`),
    worker: (slot, event, from) => void notes.push(`${name}: ${from} > ${slot} ${event.type}`),
  })
  return { router, notes, tap }
}

describe('the router', () => {
  it('hands a message over to the one it is for, and only to that one', () => {
    const { router, notes } = noted()
    router.send('client', 'ledger', { type: 'slots.changed' })
    router.send('supervisor', 'worker-1', { type: 'worker.stop' })
    expect(notes).toEqual(['ledger < slots.changed', 'worker-1 < worker.stop'])
  })

  it('shows a message to every tap in their order, after it was handed over', () => {
    const { router, notes, tap } = noted()
    router.tap(tap('first'))
    router.tap(tap('second'))
    router.send('host', 'pool', { type: 'run.opened' })
    router.send('supervisor', 'worker-1', { type: 'worker.terminate' })
    expect(notes).toEqual([
      'pool < run.opened',
      'first: host > pool run.opened',
      'second: host > pool run.opened',
      'worker-1 < worker.terminate',
      'first: supervisor > worker-1 worker.terminate',
      'second: supervisor > worker-1 worker.terminate',
    ])
  })

  it('drops a message to an address without an actor, and shows it all the same', () => {
    const { router, notes, tap } = noted()
    router.tap(tap('tap'))
    router.send('pool', 'worker-2', { type: 'worker.stop' })
    expect(notes).toEqual(['tap: pool > worker-2 worker.stop'])
  })

  it('reports a tap that throws, and shows the message to the other taps', () => {
    const { router, notes, tap } = noted()
    const broken = () => {
      throw new Error('a bug in a tap')
    }
    router.tap({ name: 'broken', pool: broken, worker: broken })
    router.tap(tap('sound'))
    router.send('host', 'pool', { type: 'run.opened' })
    expect(notes).toEqual(['pool < run.opened', 'broken failed', 'sound: host > pool run.opened'])
  })

  it('calls taps as it was told to, which is how a simulation lets one throw', () => {
    const ports: string[] = []
    const router = new Router(
      () => {},
      (actor, port, act) => {
        ports.push(`${actor}: ${port}`)
        return act()
      },
    )
    router.tap(noted().tap('alerts'))
    router.send('host', 'pool', { type: 'run.opened' })
    expect(ports).toEqual(['router: tap.alerts'])
  })
})
