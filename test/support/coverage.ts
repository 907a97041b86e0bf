/**
 * Which transitions of the machines each layer of tests takes. Only when the variable TROUPE_COVERAGE
 * names a folder: there each process adds what it has seen for the first time. `coverage-report.ts`
 * reads it.
 */
import { appendFileSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type MachineId, machines } from '../../machines/index.ts'
import { type TransitionId, workingTransitions } from '../../src/testing/conformance/transitions.ts'

export const COVERAGE_VARIABLE = 'TROUPE_COVERAGE'
/** From the purest to the most real. */
export const LAYERS = ['machines', 'model', 'simulation', 'process', 'chaos'] as const
export type Layer = (typeof LAYERS)[number]
/** What runs real processes. */
const REAL_LAYERS: readonly Layer[] = ['process', 'chaos']

type Taken = ReadonlyMap<string, ReadonlySet<TransitionId>>

interface CoverageLine {
  readonly layer: Layer
  readonly machine: string
  readonly taken: readonly TransitionId[]
}

const noted = new Set<string>()

export function noteCoverage(layer: Layer, taken: Taken): void {
  const folder = process.env[COVERAGE_VARIABLE]
  if (folder === undefined || folder === '') return
  mkdirSync(folder, { recursive: true })
  for (const [machine, ids] of taken) {
    const fresh = [...ids].filter((id) => !noted.has(`${layer} ${machine} ${id}`))
    for (const id of fresh) noted.add(`${layer} ${machine} ${id}`)
    if (fresh.length === 0) continue
    const line: CoverageLine = { layer, machine, taken: fresh }
    appendFileSync(join(folder, `${layer}.jsonl`), `${JSON.stringify(line)}\n`)
  }
}

/** The layer a test file belongs to, by its folder. Behaviours run in real processes. */
export function layerOf(path: string): Layer {
  const folder = path.includes('/test/behaviour/') ? '/test/process/' : path
  const layer = LAYERS.find((name) => folder.includes(`/test/${name}/`))
  if (layer === undefined) throw new Error(`${path} belongs to no layer`)
  return layer
}

export interface MachineCoverage {
  readonly machine: MachineId
  readonly transitions: number
  /** How many of them each layer takes; layers that noted nothing are left out. */
  readonly byLayer: Readonly<Partial<Record<Layer, number>>>
  /** Those that no real run takes, with the layers that do. */
  readonly notReal: readonly { readonly id: TransitionId; readonly layers: readonly Layer[] }[]
}

export function readCoverage(folder: string): MachineCoverage[] {
  const seen = new Map<string, Set<Layer>>()
  const layers = new Set<Layer>()
  const files = readdirSync(folder).filter((name) => name.endsWith('.jsonl'))
  for (const line of files.flatMap((name) => linesOf(join(folder, name)))) {
    layers.add(line.layer)
    for (const id of line.taken) {
      const key = `${line.machine} ${id}`
      seen.set(key, (seen.get(key) ?? new Set()).add(line.layer))
    }
  }
  return (Object.keys(machines) as MachineId[]).map((machine) => {
    const ids = workingTransitions(machines[machine])
    const layersOf = (id: TransitionId) => seen.get(`${machine} ${id}`) ?? new Set<Layer>()
    const present = LAYERS.filter((layer) => layers.has(layer))
    const count = (layer: Layer) => ids.filter((id) => layersOf(id).has(layer)).length
    return {
      machine,
      transitions: ids.length,
      byLayer: Object.fromEntries(present.map((layer) => [layer, count(layer)])),
      notReal: ids
        .filter((id) => !REAL_LAYERS.some((layer) => layersOf(id).has(layer)))
        .map((id) => ({ id, layers: [...layersOf(id)] })),
    }
  })
}

function linesOf(path: string): CoverageLine[] {
  const lines = readFileSync(path, 'utf8').trim().split('\n')
  return lines.map((line) => JSON.parse(line) as CoverageLine)
}
