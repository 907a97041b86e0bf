/** Readings beyond silence: memory, load and health, for the compositions that look at those regions. */
import type { EventObject } from 'xstate'
import type { PoolContext } from '../../machines/pool-facts.ts'
import { slotName } from './routes.ts'
import { AT, hostAt, type System } from './system.ts'

const MEMORY = { normal: 0, pressure: 0.85, critical: 0.95 } as const
const LOADS = { even: [0.5, 0], high: [1, 1], low: [0, 0] } as const

export function readingMoves(system: System, row: ArrayLike<number>): readonly EventObject[] {
  const { readings, workers } = system.plan
  if (readings.length === 0 || !system.keeper.at(row[AT.keeper] as number).isWatching) return []
  const ledger = system.ledger.at(row[AT.ledger] as number)
  const busy = new Set(ledger.seats.flatMap(({ slot, tasks }) => (tasks.length > 0 ? [slot] : [])))
  const seen = Array.from({ length: workers }, (_, slot) => slot).flatMap((slot) => {
    const { processes } = system.host.at(row[hostAt(slot)] as number)
    const name = slotName(slot)
    return processes.map(() => ({ slot: name, memoryBytes: 0, silentMs: 0, busy: busy.has(name) }))
  })
  const { ready } = system.pool.at(row[AT.pool] as number).context as PoolContext
  const calm = { atMs: 0, memoryRatio: 0, utilization: 0.5, queued: 0, ready: 99, workers: seen }
  const say = (facts: object): EventObject =>
    ({ type: 'reading.taken', reading: { ...calm, ...facts } }) as EventObject
  const words: EventObject[] = []
  if (readings.includes('memory')) {
    for (const memoryRatio of Object.values(MEMORY)) words.push(say({ memoryRatio }))
    const heavy = seen.map((one, at) => (at === 0 ? { ...one, memoryBytes: 20 } : one))
    if (heavy.length > 0) words.push(say({ workers: heavy }))
  }
  if (readings.includes('load')) {
    for (const [utilization, queued] of Object.values(LOADS)) words.push(say({ utilization, queued }))
  }
  if (readings.includes('health')) words.push(say({ ready: ready.length }))
  return words
}
