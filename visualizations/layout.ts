/**
 * Where everything stands. A machine is laid out as one; the regions of a parallel machine that no arrow joins are laid
 * out each for itself and then put into columns. Same chart, same layout.
 */
import type { Chart, ChartState } from './chart.ts'
import { type Direction, sheetOf } from './elk.ts'
import { type Box, headerSize, moved, type Sheet } from './sheet.ts'
import { stateWords } from './words.ts'

export interface Drawing extends Sheet {
  readonly title: string
  readonly description: string
  /** True where a box stands around states that share arrows: the picture then says so. */
  readonly hasGroups: boolean
}

/** Wider than this is hard to read on a page, in px. */
const MAX_WIDTH = 1_900
/** The shape that fits a page best, width to height. */
const BEST_RATIO = 1.2
const MARGIN = 12
const GAP = 18
interface Size {
  readonly width: number
  readonly height: number
}
interface Columns {
  readonly left: readonly Sheet[]
  readonly right: readonly Sheet[]
}

const DIRECTIONS: readonly Direction[] = ['DOWN', 'RIGHT']

/** Lays a chart out in several ways and keeps the one that is easiest to look at. */
export async function layOut(chart: Chart): Promise<Drawing> {
  const sheet = isSealed(chart)
    ? await columnedSheet(chart)
    : easiest(await sheetsOf(chart, chart.root, true), (whole) => whole)
  const hasGroups = sheet.boxes.some(({ state }) => state.kind === 'group')
  const { name: title, description } = chart.root
  return { ...sheet, title, description, hasGroups }
}

async function sheetsOf(chart: Chart, state: ChartState, isWhole: boolean): Promise<Sheet[]> {
  const sheets: Sheet[] = []
  for (const direction of DIRECTIONS) {
    sheets.push(await sheetOf(state, chart.arrows, direction, isWhole))
  }
  return sheets
}

/**
 * Of every choice of a direction and of one of two columns for each region, the easiest, put together.
 * There are 4 to the power of the regions: each is measured, and only one of them made.
 */
async function columnedSheet(chart: Chart): Promise<Sheet> {
  let choices: Columns[] = [{ left: [], right: [] }]
  for (const region of chart.root.states) {
    const sheets = await sheetsOf(chart, region, false)
    choices = choices.flatMap(({ left, right }) =>
      sheets.flatMap((sheet) => [
        { left: [...left, sheet], right },
        { left, right: [...right, sheet] },
      ]),
    )
  }
  const header = headerSize(stateWords(chart.root, true))
  return putTogether(
    chart.root,
    easiest(choices, (columns) => sizeOf(columns, header.height)),
  )
}

function easiest<T>(all: readonly T[], measure: (one: T) => Size): T {
  const [first, ...others] = all
  if (first === undefined) throw new RangeError('there is nothing to choose from')
  let best: { one: T; effort: number } = { one: first, effort: effort(measure(first)) }
  for (const one of others) {
    const other = { one, effort: effort(measure(one)) }
    if (other.effort < best.effort) best = other
  }
  return best.one
}

/** How hard a sheet is to look at: its size, its shape, and its width where that is too much. */
function effort({ width, height }: Size): number {
  const tooWide = Math.max(1, width / MAX_WIDTH)
  return width * height * (1 + Math.abs(Math.log(width / height / BEST_RATIO))) * tooWide ** 4
}

/** True for a parallel machine whose regions no arrow enters or leaves. */
function isSealed({ root, arrows }: Chart): boolean {
  if (root.kind !== 'parallel') return false
  return arrows.every(({ source, target }) => {
    const region = root.states.find((state) => holds(state, source))
    return region !== undefined && holds(region, target)
  })
}

function holds(state: ChartState, id: string): boolean {
  return state.id === id || state.states.some((child) => holds(child, id))
}

/** What `putTogether` makes of them. */
function sizeOf({ left, right }: Columns, headerHeight: number): Size {
  const columns = [left, right].filter((column) => column.length > 0)
  const widths = columns.map(widthOf).reduce((sum, width) => sum + width + GAP, 0)
  const height = Math.max(...columns.map(heightOf))
  return { width: widths + GAP + 2 * MARGIN, height: headerHeight + height + GAP + 2 * MARGIN }
}

function putTogether(root: ChartState, { left, right }: Columns): Sheet {
  const words = stateWords(root, true)
  const header = headerSize(words)
  const columns = [left, right].filter((column) => column.length > 0)
  const widths = columns.map(widthOf)
  const height = Math.max(...columns.map(heightOf))
  const placed: Sheet[] = []
  let x = MARGIN + GAP
  columns.forEach((column, at) => {
    const width = widths[at] ?? 0
    const spare = (height - heightOf(column)) / column.length
    let y = MARGIN + header.height
    for (const sheet of column) {
      placed.push(moved(stretched(sheet, width, sheet.height + spare), { x, y }, 1))
      y += sheet.height + spare + GAP
    }
    x += width + GAP
  })
  const size = { width: x - MARGIN, height: header.height + height + GAP }
  const box: Box = { state: root, x: MARGIN, y: MARGIN, ...size, depth: 0, words }
  return {
    width: size.width + 2 * MARGIN,
    height: size.height + 2 * MARGIN,
    boxes: [box, ...placed.flatMap(({ boxes }) => boxes)],
    dots: placed.flatMap(({ dots }) => dots),
    wires: placed.flatMap(({ wires }) => wires),
  }
}

function widthOf(column: readonly Sheet[]): number {
  return Math.max(...column.map(({ width }) => width))
}

function heightOf(column: readonly Sheet[]): number {
  return column.reduce((sum, { height }) => sum + height + GAP, -GAP)
}

/** The region's own box grows to fill its place; what is in it stays. */
function stretched(sheet: Sheet, width: number, height: number): Sheet {
  const [own, ...others] = sheet.boxes
  if (!own) return sheet
  return { ...sheet, boxes: [{ ...own, width, height }, ...others] }
}
