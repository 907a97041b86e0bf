/**
 * How much memory the machine gives us and how much of it is used: the physical memory and every
 * control group's limit above this process, each with its own count. The tightest decides. It never
 * counts what the kernel can drop.
 */
import { readFileSync } from 'node:fs'
import { totalmem } from 'node:os'
import { type GroupMemory, memoryGroups, readGroup } from './cgroup.ts'

interface MemoryLimit {
  readonly bytes: number
  /** `physical`, or the folder of the control group. */
  readonly source: string
}

export interface MemoryReading {
  readonly limitBytes: number
  readonly usedBytes: number
  /** Used share of the limit, 0–1. */
  readonly ratio: number
  readonly source: string
}

/** The smallest limit there is: physical memory or that of a control group above this process. */
export function readMemoryLimit(): MemoryLimit {
  return smallest(readAll())
}

/** Bytes that count against the tightest limit. */
export function readMemoryUsed(): number {
  return readMemory().usedBytes
}

/**
 * The limit that is nearest to being reached: a parent group shared with others may be so before
 * our own.
 */
export function readMemory(): MemoryReading {
  return tightest(readAll())
}

export function smallest(readings: readonly MemoryReading[]): MemoryLimit {
  const [first] = readings.toSorted((a, b) => a.limitBytes - b.limitBytes)
  return { bytes: first?.limitBytes ?? totalmem(), source: first?.source ?? 'physical' }
}

export function tightest(readings: readonly MemoryReading[]): MemoryReading {
  const [first] = readings.toSorted((a, b) => b.ratio - a.ratio || a.limitBytes - b.limitBytes)
  return first ?? { limitBytes: totalmem(), usedBytes: 0, ratio: 0, source: 'physical' }
}

/** From /proc/meminfo. */
export function parseMeminfo(text: string): { totalBytes: number; availableBytes: number } | null {
  const read = (key: string) => new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]
  const [total, available] = [read('MemTotal'), read('MemAvailable')]
  if (total === undefined || available === undefined) return null
  return { totalBytes: Number(total) * 1024, availableBytes: Number(available) * 1024 }
}

function readAll(): MemoryReading[] {
  if (process.platform !== 'linux') return [readPhysical()]
  const physical = readPhysical()
  const groups = memoryGroups()
    .map(readGroup)
    // A limit above what the machine has is none.
    .filter((group) => group !== null && group.limitBytes < physical.limitBytes)
    .map((group) => readingOf(group as GroupMemory))
  return [physical, ...groups]
}

function readPhysical(): MemoryReading {
  const facts =
    process.platform === 'linux' ? parseMeminfo(readFileSync('/proc/meminfo', 'utf8')) : null
  const limitBytes = facts?.totalBytes ?? totalmem()
  const usedBytes = limitBytes - (facts?.availableBytes ?? process.availableMemory())
  return { limitBytes, usedBytes, ratio: ratioOf(usedBytes, limitBytes), source: 'physical' }
}

function readingOf({ folder, limitBytes, usedBytes }: GroupMemory): MemoryReading {
  return { limitBytes, usedBytes, ratio: ratioOf(usedBytes, limitBytes), source: folder }
}

/** A group with a limit of 0 is full. */
function ratioOf(usedBytes: number, limitBytes: number): number {
  return limitBytes > 0 ? Math.min(1, Math.max(0, usedBytes / limitBytes)) : 1
}
