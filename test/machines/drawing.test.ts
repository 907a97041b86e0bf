/** The pictures of the machines: everything is in them, nothing stands on anything else, and they come out the same. */
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import type { AnyStateMachine } from 'xstate'
import { machines } from '../../machines/index.ts'
import { chartOf, type ChartState } from '../../visualizations/chart.ts'
import { layOut } from '../../visualizations/layout.ts'
import { marked, markIn, markOf } from '../../visualizations/picture.ts'
import { type Box, INSET, LABEL_INSET, type Sheet } from '../../visualizations/sheet.ts'
import { isIgnore, sitesOf } from '../support/instrument.ts'

const MAX_WIDTH = 2_400

interface Area {
  readonly name: string
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

describe.each(Object.entries(machines))('the picture of %s', async (id, machine) => {
  const drawing = await layOut(chartOf(machine))

  it('holds every state and every event that leads somewhere', () => {
    const svg = JSON.stringify(chartOf(machine))
    for (const state of statesOf(machine)) expect(svg).toContain(`"id":"${state}"`)
    const loud = sitesOf(machine).filter((site) => site.kind === 'on' && !isIgnore(site))
    for (const { key } of loud) expect(svg).toContain(key === '*' ? 'any other event' : key)
  })
  it('lets nothing stand on anything else', () => {
    const labels = labelsOf(drawing)
    const leaves = drawing.boxes.filter(({ state }) => state.states.length === 0).map(areaOf)
    expect(collisions([...labels, ...leaves])).toEqual([])
    expect(drawing.boxes.filter(isTooSmall).map(({ state }) => state.id)).toEqual([])
  })
  it('fits a page, and is the one that is committed', async () => {
    const svg = marked(machine, drawing)
    expect(drawing.width).toBeLessThan(MAX_WIDTH)
    expect(svg).toContain(`data-state="${id}"`)
    expect(markIn(svg)).toBe(markOf(machine))
    const file = new URL(`../../visualizations/${id}.svg`, import.meta.url)
    expect(await readFile(file, 'utf8'), 'npm run render draws it anew').toBe(svg)
  })
})

function statesOf(machine: AnyStateMachine): string[] {
  const visit = (states: AnyStateMachine['states']): string[] =>
    Object.values(states).flatMap((node) => [node.id, ...visit(node.states)])
  return visit(machine.states)
}

function labelsOf({ wires }: Sheet): Area[] {
  return wires.flatMap(({ arrow, label }) => {
    if (!arrow || !label) return []
    const { width, height } = label.words
    const size = { width: width + 2 * LABEL_INSET, height: height + 2 * LABEL_INSET - 2 }
    return [{ name: arrow.id, x: label.x, y: label.y, ...size }]
  })
}

function areaOf({ state, x, y, width, height }: Box): Area {
  return { name: state.id, x, y, width, height }
}

function collisions(areas: readonly Area[]): string[] {
  return areas.flatMap((one, at) =>
    areas
      .slice(at + 1)
      .filter((other) => overlap(one, other))
      .map((other) => `${one.name} stands on ${other.name}`),
  )
}

function overlap(one: Area, other: Area): boolean {
  return (
    one.x < other.x + other.width &&
    other.x < one.x + one.width &&
    one.y < other.y + other.height &&
    other.y < one.y + one.height
  )
}

/** True where the words of a box stand out of it. */
function isTooSmall({ state, words, width, height }: Box): boolean {
  const isText = (kind: ChartState['kind']) => kind !== 'history'
  return isText(state.kind) && (words.width + 2 * INSET > width + 1 || words.height > height)
}
