/** Draws a laid-out chart as one SVG that stands alone: no script, no font file, no reference to anything outside. */
import type { Drawing } from './layout.ts'
import { type Box, DOT_RADIUS, INSET, LABEL_INSET, type Point, type Wire } from './sheet.ts'
import { type Block, type Row, spansWidth } from './text.ts'
import { type Scheme, styleSheet } from './theme.ts'

const CORNER = 8
const BEND = 6
const LEGEND = 'A dotted box is no state: its arrows leave from every state in it.'
const LEGEND_HEIGHT = 20

/** The whole picture. It follows the viewer's light or dark scheme unless one is named. */
export function svgOf(drawing: Drawing, scheme?: Scheme): string {
  const width = Math.ceil(drawing.width)
  const inner = Math.ceil(drawing.height)
  const height = inner + (drawing.hasGroups ? LEGEND_HEIGHT : 0)
  const named = escapeText(`${drawing.title}: ${drawing.description}`)
  const legend = `<text class="note" x="${INSET}" y="${inner + 6}" font-size="11">${LEGEND}</text>`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`,
    `  role="img" aria-label="${named}">`,
    `<title>${named}</title>`,
    `<style>${styleSheet(scheme)}</style>`,
    '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8"',
    '  orient="auto"><path class="head" d="M0 1 L10 5 L0 9 z"/></marker></defs>',
    `<rect class="canvas" width="${width}" height="${height}" rx="${CORNER}"/>`,
    ...drawing.boxes.map(boxSvg),
    ...drawing.wires.map(wireSvg),
    ...drawing.dots.map(dotSvg),
    ...drawing.boxes.flatMap(wordsSvg),
    ...drawing.wires.flatMap(labelSvg),
    ...(drawing.hasGroups ? [legend] : []),
    '</svg>',
    '',
  ].join('\n')
}

function boxSvg(box: Box): string {
  const id = `data-state="${escapeText(box.state.id)}"`
  if (box.state.kind === 'history') {
    const radius = box.width / 2
    const centre = `cx="${n(box.x + radius)}" cy="${n(box.y + radius)}" r="${n(radius)}"`
    return `<circle class="box state" ${id} ${centre}/>`
  }
  const inner = box.state.kind === 'final' ? rectSvg(box, 'class="inner"', 4) : ''
  return `${rectSvg(box, `class="${boxClass(box)}" ${id}`, 0)}${inner}`
}

function boxClass({ state, depth }: Box): string {
  if (state.kind === 'group') return 'box group'
  const fill = fillOf(state.states.length > 0, depth)
  return state.isRegion ? `box ${fill} region` : `box ${fill}`
}

function fillOf(isCompound: boolean, depth: number): string {
  return isCompound ? `depth-${Math.min(depth, 2)}` : 'state'
}

function rectSvg(box: Box, attributes: string, inset: number): string {
  const size = `width="${n(box.width - 2 * inset)}" height="${n(box.height - 2 * inset)}"`
  const at = `x="${n(box.x + inset)}" y="${n(box.y + inset)}"`
  return `<rect ${attributes} ${at} ${size} rx="${CORNER - inset / 2}"/>`
}

/** The words of a box. A wire on its way into the box passes behind them. */
function wordsSvg(box: Box): string[] {
  const [x, y] = [box.x + INSET, box.y + INSET - 2]
  if (box.state.kind === 'history') {
    const at = `x="${n(box.x + box.width / 2)}" y="${n(box.y + box.height / 2 + 5)}"`
    return [`<text class="name" ${at} font-size="14" text-anchor="middle">H</text>`]
  }
  const rows = rowsSvg(box.words, x, y)
  if (box.state.states.length === 0 || rows.length === 0) return rows
  const mask = box.words.rows.map(({ spans, top, size }) => {
    const style = box.state.kind === 'group' ? 'group-mask' : `mask-${Math.min(box.depth, 2)}`
    const width = n(Math.min(spansWidth(spans), box.width - 2 * INSET))
    return `<rect class="${style}" x="${n(x)}" y="${n(y + top)}" width="${width}" height="${n(size * 1.3)}"/>`
  })
  return [...mask, ...rows]
}

function rowsSvg(block: Block, x: number, y: number): string[] {
  return block.rows.map((row) => rowSvg(row, x, y))
}

function rowSvg(row: Row, x: number, y: number): string {
  const spans = row.spans.map(
    ({ text, tone }) => `<tspan class="${tone}">${escapeText(text)}</tspan>`,
  )
  const at = `x="${n(x)}" y="${n(y + row.top + row.size)}"`
  return `<text ${at} font-size="${row.size}" xml:space="preserve">${spans.join('')}</text>`
}

function wireSvg(wire: Wire): string {
  const name = wire.arrow ? ` data-arrow="${escapeText(wire.arrow.id)}"` : ''
  return `<path class="wire"${name} marker-end="url(#head)" d="${pathOf(wire.path)}"/>`
}

function dotSvg(dot: Point): string {
  return `<circle class="dot" cx="${n(dot.x)}" cy="${n(dot.y)}" r="${DOT_RADIUS}"/>`
}

function labelSvg(wire: Wire): string[] {
  if (!wire.label) return []
  const { x, y, words } = wire.label
  const size = `width="${words.width + 2 * LABEL_INSET}" height="${words.height + 2 * LABEL_INSET - 2}"`
  const rect = `<rect class="label" x="${n(x)}" y="${n(y)}" ${size} rx="4"/>`
  return [rect, ...rowsSvg(words, x + LABEL_INSET, y + LABEL_INSET - 1)]
}

/** The path with its corners rounded. */
function pathOf(points: readonly Point[]): string {
  const [first, ...rest] = points
  if (!first) return ''
  const parts = [`M${n(first.x)} ${n(first.y)}`]
  rest.forEach((point, at) => {
    const next = rest[at + 1]
    if (!next) return void parts.push(`L${n(point.x)} ${n(point.y)}`)
    const before = at === 0 ? first : (rest[at - 1] ?? first)
    const into = towards(point, before)
    const out = towards(point, next)
    parts.push(`L${n(into.x)} ${n(into.y)}Q${n(point.x)} ${n(point.y)} ${n(out.x)} ${n(out.y)}`)
  })
  return parts.join('')
}

/** The point a little before the corner, on the way to `other`; half-way where the way is short. */
function towards(corner: Point, other: Point): Point {
  const length = Math.hypot(other.x - corner.x, other.y - corner.y)
  const share = length === 0 ? 0 : Math.min(BEND, length / 2) / length
  return {
    x: corner.x + (other.x - corner.x) * share,
    y: corner.y + (other.y - corner.y) * share,
  }
}

function n(value: number): string {
  return String(Math.round(value * 10) / 10)
}

function escapeText(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/"/g, '&quot;')
}
