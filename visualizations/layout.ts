/**
 * Where everything stands: a chart becomes boxes, dots and lines with coordinates. ELK's layered algorithm does the
 * work; the options below are those that survive nested states (MODEL_ORDER crashes on them). Same chart, same layout.
 */
import ELK, { type ElkEdgeSection, type ElkExtendedEdge, type ElkNode } from 'elkjs'
import type { Chart, ChartArrow, ChartState } from './chart.ts'
import type { Block } from './text.ts'
import { arrowWords, stateWords } from './words.ts'

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

export interface Drawing {
  readonly title: string
  readonly description: string
  readonly width: number
  readonly height: number
  readonly boxes: readonly Box[]
  readonly dots: readonly Point[]
  readonly wires: readonly Wire[]
}

type Direction = 'DOWN' | 'RIGHT'

export const DOT_RADIUS = 5
/** Space between a box's border and its words, in px. */
export const INSET = 12
export const LABEL_INSET = 5
/** A picture wider than this is hard to read on a page. */
const MAX_WIDTH = 2_300
/** The shape that fits a page best, width to height. */
const BEST_RATIO = 1.35
const MIN_STATE_WIDTH = 110

/** Lays a chart out both ways and keeps the one that is easier to look at. */
export async function layOut(chart: Chart): Promise<Drawing> {
  const drawings = [await drawingOf(chart, 'DOWN'), await drawingOf(chart, 'RIGHT')]
  const [best] = drawings.sort((a, b) => effort(a) - effort(b))
  if (!best) throw new Error('no layout')
  return best
}

function effort({ width, height }: Drawing): number {
  const tooWide = width > MAX_WIDTH ? width / MAX_WIDTH : 1
  return width * height * (1 + Math.abs(Math.log(width / height / BEST_RATIO))) * tooWide ** 4
}

async function drawingOf(chart: Chart, direction: Direction): Promise<Drawing> {
  const words = new Map<string, Block>()
  const root = nodeOf(chart, chart.root, direction, words)
  const canvas: ElkNode = {
    id: 'canvas',
    layoutOptions: { ...optionsOf(chart, chart.root, direction), 'elk.padding': padding(0) },
    children: [root],
    edges: [],
  }
  for (const arrow of chart.arrows) place(canvas, edgeOf(arrow, words))
  for (const edge of initialEdges(chart.root)) place(canvas, edge)
  return readDrawing(chart, await new ELK.default().layout(canvas), words)
}

/** Gives an edge to the innermost node around both its ends, as separately laid-out regions need it. */
function place(node: ElkNode, edge: ElkExtendedEdge) {
  const inner = node.children?.find((child) => hasInside(child, edge.sources[0]) && hasInside(child, edge.targets[0]))
  if (inner) return place(inner, edge)
  node.edges = [...(node.edges ?? []), edge]
}

function hasInside(node: ElkNode, id: string | undefined): boolean {
  return (node.children ?? []).some((child) => child.id === id || hasInside(child, id))
}

/** True for a parallel state whose regions no arrow enters or leaves: they can stand side by side, in order. */
function isSealed(chart: Chart, state: ChartState): boolean {
  if (state.kind !== 'parallel') return false
  return chart.arrows.every(({ source, target }) => {
    const [from, to] = [source, target].map((id) => state.states.find((region) => contains(region, id)))
    return from === to && (from ? from.id !== source && from.id !== target : true)
  })
}

function contains(state: ChartState, id: string): boolean {
  return state.id === id || state.states.some((child) => contains(child, id))
}

function optionsOf(chart: Chart, state: ChartState, direction: Direction): Record<string, string> {
  if (isSealed(chart, state)) {
    return {
      'elk.algorithm': 'rectpacking',
      'elk.hierarchyHandling': 'SEPARATE_CHILDREN',
      'elk.json.edgeCoords': 'ROOT',
      'elk.json.shapeCoords': 'ROOT',
      'elk.aspectRatio': '1.5',
      'elk.rectpacking.whiteSpaceElimination.strategy': 'EQUAL_BETWEEN_STRUCTURES',
      'elk.spacing.nodeNode': '20',
    }
  }
  return {
    'elk.algorithm': 'layered',
    'elk.direction': direction,
    'elk.hierarchyHandling': 'INCLUDE_CHILDREN',
    'elk.json.edgeCoords': 'ROOT',
    'elk.json.shapeCoords': 'ROOT',
    'elk.edgeRouting': 'ORTHOGONAL',
    'elk.layered.cycleBreaking.strategy': 'DEPTH_FIRST',
    'elk.layered.considerModelOrder.strategy': 'NONE',
    'elk.layered.nodePlacement.strategy': 'NETWORK_SIMPLEX',
    'elk.layered.thoroughness': '40',
    'elk.layered.spacing.nodeNodeBetweenLayers': '34',
    'elk.layered.spacing.edgeNodeBetweenLayers': '16',
    'elk.layered.spacing.edgeEdgeBetweenLayers': '14',
    'elk.spacing.nodeNode': '34',
    'elk.spacing.edgeNode': '18',
    'elk.spacing.edgeEdge': '14',
    'elk.spacing.edgeLabel': '4',
    'elk.spacing.labelNode': '8',
    'elk.spacing.labelLabel': '6',
    'elk.spacing.nodeSelfLoop': '16',
  }
}

function nodeOf(
  chart: Chart,
  state: ChartState,
  direction: Direction,
  words: Map<string, Block>,
): ElkNode {
  const block = stateWords(state, state === chart.root)
  words.set(state.id, block)
  const width = Math.max(block.width + 2 * INSET, MIN_STATE_WIDTH)
  const height = block.height + 2 * INSET - 4
  if (state.states.length === 0) return { id: state.id, width, height }
  const children = state.states.map((child) => nodeOf(chart, child, direction, words))
  if (state.initial !== null) {
    children.push({ id: dotOf(state), width: 2 * DOT_RADIUS, height: 2 * DOT_RADIUS })
  }
  return {
    id: state.id,
    children,
    layoutOptions: {
      ...optionsOf(chart, state, direction),
      'elk.padding': padding(height),
      'elk.nodeSize.constraints': 'MINIMUM_SIZE',
      'elk.nodeSize.minimum': `(${width},${height})`,
    },
  }
}

function padding(header: number): string {
  const side = header === 0 ? 12 : 20
  return `[top=${header + side - 4},left=${side},bottom=${side},right=${side}]`
}

function edgeOf(arrow: ChartArrow, words: Map<string, Block>): ElkExtendedEdge {
  const block = arrowWords(arrow)
  words.set(arrow.id, block)
  return {
    id: arrow.id,
    sources: [arrow.source],
    targets: [arrow.target],
    labels: [
      {
        text: arrow.id,
        width: block.width + 2 * LABEL_INSET,
        height: block.height + 2 * LABEL_INSET - 2,
        layoutOptions: { 'elk.edgeLabels.inline': 'true', 'elk.edgeLabels.placement': 'CENTER' },
      },
    ],
  }
}

function initialEdges(state: ChartState): ElkExtendedEdge[] {
  const own =
    state.initial === null
      ? []
      : [{ id: `${dotOf(state)}→`, sources: [dotOf(state)], targets: [state.initial] }]
  return [...own, ...state.states.flatMap(initialEdges)]
}

function dotOf(state: ChartState): string {
  return `${state.id}•`
}

function readDrawing(chart: Chart, graph: ElkNode, words: ReadonlyMap<string, Block>): Drawing {
  const nodes = new Map<string, ElkNode>()
  collect(graph, nodes)
  const boxes: Box[] = []
  const dots: Point[] = []
  const visit = (state: ChartState, depth: number) => {
    const { x = 0, y = 0, width = 0, height = 0 } = nodes.get(state.id) ?? {}
    boxes.push({ state, x, y, width, height, depth, words: blockFor(words, state.id) })
    const dot = nodes.get(dotOf(state))
    if (dot) dots.push({ x: (dot.x ?? 0) + DOT_RADIUS, y: (dot.y ?? 0) + DOT_RADIUS })
    for (const child of state.states) visit(child, depth + 1)
  }
  visit(chart.root, 0)
  const arrows = new Map(chart.arrows.map((arrow) => [arrow.id, arrow]))
  const wires = [...nodes.values()].flatMap((node) => node.edges ?? []).map((edge) => wireOf(edge, arrows.get(edge.id) ?? null, words))
  const { width = 0, height = 0 } = graph
  const { name: title, description } = chart.root
  return { title, description, width, height, boxes, dots, wires }
}

function collect(node: ElkNode, nodes: Map<string, ElkNode>) {
  nodes.set(node.id, node)
  for (const child of node.children ?? []) collect(child, nodes)
}

function wireOf(
  edge: ElkExtendedEdge,
  arrow: ChartArrow | null,
  words: ReadonlyMap<string, Block>,
): Wire {
  const path = (edge.sections ?? []).flatMap(pointsOf)
  const at = edge.labels?.[0]
  const label =
    arrow && at ? { x: at.x ?? 0, y: at.y ?? 0, words: blockFor(words, arrow.id) } : null
  return { arrow, path, label }
}

function pointsOf(section: ElkEdgeSection): Point[] {
  return [section.startPoint, ...(section.bendPoints ?? []), section.endPoint]
}

function blockFor(words: ReadonlyMap<string, Block>, id: string): Block {
  const block = words.get(id)
  if (!block) throw new Error(`nothing is written for ${id}`)
  return block
}
