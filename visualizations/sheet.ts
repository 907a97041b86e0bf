/** Things with their places, before and after they are put together: boxes, dots and wires on a sheet. */
import type { ChartArrow, ChartState } from './chart.ts'
import type { Block } from './text.ts'

export interface Point {
  readonly x: number
  readonly y: number
}

export interface Box extends Point {
  readonly state: ChartState
  readonly width: number
  readonly height: number
  readonly depth: number
  readonly words: Block
}

export interface Wire {
  /** Null for the arrow from an initial dot. */
  readonly arrow: ChartArrow | null
  readonly path: readonly Point[]
  readonly label: (Point & { readonly words: Block }) | null
}

export interface Sheet {
  readonly width: number
  readonly height: number
  readonly boxes: readonly Box[]
  readonly dots: readonly Point[]
  readonly wires: readonly Wire[]
}

export const DOT_RADIUS = 5
/** Space between a box's border and its words, in px. */
export const INSET = 12
export const LABEL_INSET = 5

/** The same sheet somewhere else, its boxes deeper inside others. */
export function moved(sheet: Sheet, by: Point, depth: number): Sheet {
  const move = <P extends Point>(point: P): P => ({
    ...point,
    x: point.x + by.x,
    y: point.y + by.y,
  })
  return {
    ...sheet,
    boxes: sheet.boxes.map((box) => ({ ...move(box), depth: box.depth + depth })),
    dots: sheet.dots.map(move),
    wires: sheet.wires.map((wire) => ({
      ...wire,
      path: wire.path.map(move),
      label: wire.label && move(wire.label),
    })),
  }
}

/** Room for a state's words, border to border. */
export function headerSize({ width, height }: Block): { width: number; height: number } {
  return { width: width + 2 * INSET, height: height === 0 ? 0 : height + 2 * INSET - 4 }
}
