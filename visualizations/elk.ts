/**
 * Lays out one state with all that is in it, by ELK's layered algorithm. The options are those that survive nested
 * states (MODEL_ORDER crashes on them). Arrows that run against the order of the states are handed over turned round,
 * so that every picture reads in the order in which the machine is written.
 */
import ELK, { type ElkEdgeSection, type ElkExtendedEdge, type ElkNode } from 'elkjs'
import type { ChartArrow, ChartState } from './chart.ts'
import {
  type Box,
  DOT_RADIUS,
  headerSize,
  LABEL_INSET,
  type Point,
  type Sheet,
  type Wire,
} from './sheet.ts'
import type { Block } from './text.ts'
import { arrowWords, stateWords } from './words.ts'

export type Direction = 'DOWN' | 'RIGHT'

const MIN_STATE_WIDTH = 110
const HISTORY_SIZE = 26
const SIDE = 18
const GROUP_SIDE = 14
const EDGE_MARGIN = 12
const MAX_ROUNDS = 3
const NO_WORDS: Block = { width: 0, height: 0, rows: [] }
/** More lines than this stand beside what is in a compound, not above it, where arrows come in. */
const MAX_ROWS_ABOVE = 3

/** What one layout is made of. */
interface Draft {
  readonly root: ChartState
  readonly isWhole: boolean
  readonly direction: Direction
  readonly words: Map<string, Block>
  /** Place of each state in the machine's own order. */
  readonly order: ReadonlyMap<string, number>
  /** Room that a compound needs beyond what is in it, for its words. */
  readonly extra: Map<string, { readonly width: number; readonly height: number }>
}

/** A sheet with the state `root` on it. `isWhole`: it is the whole machine, so its name is the title. */
export async function sheetOf(
  root: ChartState,
  arrows: readonly ChartArrow[],
  direction: Direction,
  isWhole: boolean,
): Promise<Sheet> {
  const order = new Map(statesOf(root).map(({ id }, at) => [id, at]))
  const draft: Draft = { root, isWhole, direction, words: new Map(), order, extra: new Map() }
  const own = arrows.filter(({ source }) => order.has(source))
  for (let round = 1; ; round += 1) {
    const margin = isWhole ? EDGE_MARGIN : 0
    const graph = await new ELK.default().layout({
      id: 'canvas',
      layoutOptions: {
        ...optionsFor(direction),
        'elk.padding': paddingOf(NO_WORDS, margin, 'top'),
      },
      children: [nodeOf(root, draft)],
      edges: [...own.map((arrow) => edgeOf(arrow, draft)), ...initialEdges(root)],
    })
    const sheet = readSheet(draft, own, graph)
    if (round === MAX_ROUNDS || !makeRoom(draft, sheet)) return sheet
  }
}

/** ELK gives no heed to a compound's least size: where words stand out of a box, it gets more room the next round. */
function makeRoom(draft: Draft, { boxes }: Sheet): boolean {
  let isCramped = false
  for (const { state, words, width, height } of boxes) {
    if (state.states.length === 0) continue
    const header = headerSize(words)
    const known = draft.extra.get(state.id) ?? { width: 0, height: 0 }
    const lack = { width: header.width - width, height: header.height - height }
    if (lack.width <= 0 && lack.height <= 0) continue
    isCramped = true
    draft.extra.set(state.id, {
      width: known.width + Math.max(0, Math.ceil(lack.width)),
      height: known.height + Math.max(0, Math.ceil(lack.height)),
    })
  }
  return isCramped
}

function statesOf(state: ChartState): ChartState[] {
  return [state, ...state.states.flatMap(statesOf)]
}

function optionsFor(direction: Direction): Record<string, string> {
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
    'elk.layered.spacing.nodeNodeBetweenLayers': '32',
    'elk.layered.spacing.edgeNodeBetweenLayers': '16',
    'elk.layered.spacing.edgeEdgeBetweenLayers': '13',
    'elk.spacing.nodeNode': '32',
    'elk.spacing.edgeNode': '18',
    'elk.spacing.edgeEdge': '13',
    'elk.spacing.edgeLabel': '4',
    'elk.spacing.labelNode': '8',
    'elk.spacing.labelLabel': '6',
    'elk.spacing.nodeSelfLoop': '16',
  }
}

function nodeOf(state: ChartState, draft: Draft): ElkNode {
  if (state.kind === 'history') return { id: state.id, width: HISTORY_SIZE, height: HISTORY_SIZE }
  const isTitled = draft.isWhole && state === draft.root
  const block = stateWords(state, isTitled)
  draft.words.set(state.id, block)
  const header = headerSize(block)
  const width = Math.max(header.width, MIN_STATE_WIDTH)
  if (state.states.length === 0) return { id: state.id, width, height: header.height }
  const children = state.states.map((child) => nodeOf(child, draft))
  if (state.initial !== null) {
    children.push({ id: dotOf(state), width: 2 * DOT_RADIUS, height: 2 * DOT_RADIUS })
  }
  const side = state.kind === 'group' ? GROUP_SIDE : SIDE
  const isTall = block.rows.length > MAX_ROWS_ABOVE && draft.direction === 'DOWN' && !isTitled
  const extra = draft.extra.get(state.id)
  return {
    id: state.id,
    children,
    layoutOptions: {
      ...optionsFor(draft.direction),
      'elk.padding': paddingOf(block, side, isTall ? 'left' : 'top', extra),
    },
  }
}

function paddingOf(
  words: Block,
  side: number,
  at: 'top' | 'left',
  extra = { width: 0, height: 0 },
): string {
  const header = headerSize(words)
  const top = side + (at === 'top' && header.height > 0 ? header.height - 6 : 0)
  const left = side + (at === 'left' ? header.width : 0)
  return `[top=${top},left=${left},bottom=${side + extra.height},right=${side + extra.width}]`
}

function edgeOf(arrow: ChartArrow, draft: Draft): ElkExtendedEdge {
  const block = arrowWords(arrow)
  draft.words.set(arrow.id, block)
  const ends = [arrow.source, arrow.target]
  const [from = '', to = ''] = isBackward(arrow, draft) ? ends.toReversed() : ends
  return {
    id: arrow.id,
    sources: [from],
    targets: [to],
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

/** True where the target stands before the source, beside it and not around it. */
function isBackward({ source, target }: ChartArrow, { root, order }: Draft): boolean {
  if ((order.get(target) ?? 0) >= (order.get(source) ?? 0)) return false
  const outer = statesOf(root).find(({ id }) => id === target)
  return !statesOf(outer ?? root).some(({ id }) => id === source)
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

function readSheet(draft: Draft, arrows: readonly ChartArrow[], graph: ElkNode): Sheet {
  const nodes = new Map<string, ElkNode>()
  collect(graph, nodes)
  const boxes: Box[] = []
  const dots: Point[] = []
  const visit = (state: ChartState, depth: number) => {
    const { x = 0, y = 0, width = 0, height = 0 } = nodes.get(state.id) ?? {}
    boxes.push({ state, x, y, width, height, depth, words: wordsFor(draft, state.id) })
    const dot = nodes.get(dotOf(state))
    if (dot) dots.push({ x: (dot.x ?? 0) + DOT_RADIUS, y: (dot.y ?? 0) + DOT_RADIUS })
    for (const child of state.states) visit(child, depth + 1)
  }
  visit(draft.root, 0)
  const byId = new Map(arrows.map((arrow) => [arrow.id, arrow]))
  const wires = (graph.edges ?? []).map((edge) => wireOf(edge, byId.get(edge.id) ?? null, draft))
  return { width: graph.width ?? 0, height: graph.height ?? 0, boxes, dots, wires }
}

function collect(node: ElkNode, nodes: Map<string, ElkNode>) {
  nodes.set(node.id, node)
  for (const child of node.children ?? []) collect(child, nodes)
}

function wireOf(edge: ElkExtendedEdge, arrow: ChartArrow | null, draft: Draft): Wire {
  const drawn = (edge.sections ?? []).flatMap(pointsOf)
  const path = arrow && isBackward(arrow, draft) ? drawn.toReversed() : drawn
  const at = edge.labels?.[0]
  if (!arrow || !at) return { arrow, path, label: null }
  return { arrow, path, label: { x: at.x ?? 0, y: at.y ?? 0, words: wordsFor(draft, arrow.id) } }
}

function pointsOf(section: ElkEdgeSection): Point[] {
  return [section.startPoint, ...(section.bendPoints ?? []), section.endPoint]
}

function wordsFor({ words }: Draft, id: string): Block {
  return words.get(id) ?? NO_WORDS
}
