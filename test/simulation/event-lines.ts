/** The events of one simulated life, a line each: for looking at a seed that fails. */
import type { AnyActorRef, InspectedEventEvent } from 'xstate'
import { useVirtualTime } from '../../src/testing/simulation/virtual-time.ts'
import { type RunReport, simulateSchedule } from './schedule-run.ts'
import type { Schedule } from './schedule.ts'

/** Longer events are cut. */
const MAX_COLUMNS = 300
/** Readings come by the dozen and say little. */
const DULL: ReadonlySet<string> = new Set(['reading.taken'])

export async function printEvents(
  schedule: Schedule,
  send: (line: string) => void,
): Promise<RunReport> {
  const giveTimeBack = useVirtualTime()
  const onEvent = (atMs: number, { sourceRef, actorRef, event }: InspectedEventEvent) => {
    if (DULL.has(event.type)) return
    const from = sourceRef === undefined ? '' : (sourceRef as AnyActorRef).id
    const to = (actorRef as AnyActorRef).id
    send(`${atMs} ${from} → ${to}: ${textOf(event)}`.slice(0, MAX_COLUMNS))
  }
  try {
    return await simulateSchedule(schedule, { onEvent })
  } finally {
    giveTimeBack()
  }
}

function textOf(event: unknown): string {
  return JSON.stringify(event, (key, value: unknown) => {
    if (key === 'record') return (value as { id: string }).id
    if (key === 'store' || key === 'reading') return '…'
    return value instanceof Error ? value.message : value
  })
}
