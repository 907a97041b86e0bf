/**
 * How busy the machine's processors are, between one look and the next. It keeps nothing but the
 * last look.
 */
import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'

/** Processor time since the start of the machine, in any one unit. */
export interface ProcessorTimes {
  readonly busy: number
  readonly total: number
}

/** From /proc/stat: the line of all processors. */
export function parseProcessorTimes(text: string): ProcessorTimes | null {
  const match = /^cpu +([\d ]+)$/m.exec(text)
  if (!match) return null
  // user nice system idle iowait irq softirq steal; guest time is in user time already.
  const times = (match[1] as string).trim().split(' ').slice(0, 8).map(Number)
  const total = times.reduce((sum, time) => sum + time, 0)
  return { busy: total - (times[3] ?? 0) - (times[4] ?? 0), total }
}

/** Used share between two looks, 0–1. Null when no time has passed. */
export function busyRatio(before: ProcessorTimes, after: ProcessorTimes): number | null {
  const total = after.total - before.total
  return total > 0 ? Math.min(1, Math.max(0, (after.busy - before.busy) / total)) : null
}

export function readProcessorTimes(): ProcessorTimes {
  if (process.platform === 'linux') {
    const times = parseProcessorTimes(readFileSync('/proc/stat', 'latin1'))
    if (times) return times
  }
  let [busy, total] = [0, 0]
  for (const { times } of cpus()) {
    const sum = times.user + times.nice + times.sys + times.irq
    busy += sum
    total += sum + times.idle
  }
  return { busy, total }
}
