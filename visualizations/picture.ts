/**
 * The picture of a machine, which bears the mark of the chart it was drawn from: whether it is out of
 * date is told by the mark, without laying anything out.
 */
import { createHash } from 'node:crypto'
import type { AnyStateMachine } from 'xstate'
import { chartOf } from './chart.ts'
import { type Drawing, layOut } from './layout.ts'
import { svgOf } from './svg.ts'

const MARK = /^<!-- chart ([0-9a-f]{16}) -->/

/** The mark of what the machine is now. */
export function markOf(machine: AnyStateMachine): string {
  return createHash('sha256')
    .update(JSON.stringify(chartOf(machine)))
    .digest('hex')
    .slice(0, 16)
}

/** The mark that a picture bears; null for a text without one. */
export function markIn(svg: string): string | null {
  return MARK.exec(svg)?.[1] ?? null
}

export async function pictureOf(machine: AnyStateMachine): Promise<string> {
  return marked(machine, await layOut(chartOf(machine)))
}

export function marked(machine: AnyStateMachine, drawing: Drawing): string {
  return `<!-- chart ${markOf(machine)} -->\n${svgOf(drawing)}`
}
