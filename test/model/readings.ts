/**
 * Readings beyond silence: memory, load and health, for the compositions that look at those
 * regions.
 */
import type { EventObject } from 'xstate'
import type { PoolContext } from '../../machines/pool.setup.ts'
import type { ModelCapacity } from './ledger-state.ts'
import { DISK_FLOOR, HARD_LIMIT, SOFT_LIMIT } from './plan.ts'
import { slotName } from './routes.ts'
import { AT, hostAt, type System } from './system.ts'

const MEMORY = { normal: 0, pressure: 0.85, critical: 0.95 } as const
const LOADS = { even: [0.5, 0], high: [1, 1], low: [0, 0] } as const

/**
 * A reading, and whether it comes by itself in time: memory that was short is there again some day.
 */
interface ReadingMove {
  readonly event: EventObject
  readonly kind: 'user' | 'pace'
}

export function readingMoves(system: System, row: ArrayLike<number>): readonly ReadingMove[] {
  const { readings, workers } = system.plan
  if (readings.length === 0 || !system.run.at(row[AT.run] as number).isWatching) return []
  const ledger = system.ledger.at(row[AT.ledger] as number)
  const busy = new Set(
    ledger.workers.flatMap(({ slot, tasks }) => (tasks.length > 0 ? [slot] : [])),
  )
  const seen = Array.from({ length: workers }, (_, slot) => slot).flatMap((slot) => {
    const { processes } = system.host.at(row[hostAt(slot)] as number)
    const name = slotName(slot)
    return processes.map(({ incarnation }) => {
      const isOfIt = (worker: ModelCapacity) =>
        worker.slot === name && worker.incarnation === incarnation
      const serving = ledger.workers.find(isOfIt)?.isOpen === true
      const facts = { memoryBytes: 0, silentMs: 0, busy: busy.has(name) }
      return { slot: name, incarnation, serving, ...facts }
    })
  })
  const { ready } = system.pool.at(row[AT.pool] as number).context as PoolContext
  const load = { utilization: 0.5, queued: 0, ready: 99, workers: seen }
  const calm = { atMs: 0, memoryRatio: 0, diskFreeBytes: null, ...load }
  const say = (facts: object): EventObject =>
    ({ type: 'reading.taken', reading: { ...calm, ...facts } }) as EventObject
  const messages: ReadingMove[] = []
  const add = (facts: object, kind: ReadingMove['kind'] = 'user') =>
    messages.push({ event: say(facts), kind })
  if (readings.includes('memory')) {
    for (const [band, memoryRatio] of Object.entries(MEMORY)) {
      add({ memoryRatio }, band === 'normal' ? 'pace' : 'user')
    }
    // Memory cannot be read, and one worker is far too large all the same.
    add({ memoryRatio: null }, 'user')
    for (const memoryBytes of [SOFT_LIMIT + 1, HARD_LIMIT + 1]) {
      const heavy = seen.map((one, at) => (at === 0 ? { ...one, memoryBytes } : one))
      if (heavy.length > 0) add({ workers: heavy })
    }
  }
  if (readings.includes('load')) {
    for (const [utilization, queued] of Object.values(LOADS)) add({ utilization, queued })
  }
  if (readings.includes('disk')) {
    add({ diskFreeBytes: DISK_FLOOR - 1 })
    add({ diskFreeBytes: 2 * DISK_FLOOR }, 'pace')
  }
  if (readings.includes('health')) add({ ready: ready.length })
  return messages
}
