/**
 * Each machine's share in the model: those that are composed as the compositions saw them, the
 * session and the task as they are explored by themselves (a session lives in a child; tasks run as
 * the table, which is proven equal to their machine).
 */
import type { AnyStateMachine } from 'xstate'
import { sessionMachine, taskMachine } from '../../machines/index.ts'
import { sessionPlan } from '../machines/session.events.ts'
import { taskPlan } from '../machines/task.events.ts'
import { noteCoverage } from '../support/coverage.ts'
import { type Exploration as Alone, explore } from '../support/explore.ts'
import { isIgnore, sitesOf } from '../support/instrument.ts'
import type { Exploration } from './checker.ts'

interface MachineCount {
  readonly id: string
  readonly states: number
  readonly edges: number
  /** Share of its transitions that were taken, those that only ignore aside, 0–1. */
  readonly covered: number
  readonly untaken: readonly string[]
}

const COMPOSED = ['pool', 'supervisor', 'worker', 'shutdown'] as const
const share = (count: number, of: number) => Math.round((1_000 * count) / of) / 1_000

export function machinesOf(explorations: readonly Exploration[]): MachineCount[] {
  const composed = COMPOSED.map((id): MachineCount => {
    const actors = explorations.map(({ system }) => system[id])
    const states = new Set(actors.flatMap((actor) => [...actor.keys()]))
    const edges = new Set(actors.flatMap((actor) => [...actor.edges]))
    const taken = new Set(actors.flatMap((actor) => [...actor.taken]))
    const sites = actors[0]?.sites ?? []
    const untaken = sites.filter((site) => !taken.has(site))
    const covered = share(sites.length - untaken.length, sites.length)
    return { id, states: states.size, edges: edges.size, covered, untaken }
  })
  const session = explore(sessionMachine, sessionPlan)
  const task = explore(taskMachine, taskPlan)
  return [...composed, alone(sessionMachine, session), alone(taskMachine, task)]
}

/** For the report on the whole suite's coverage. */
export function noteTaken({ system }: Exploration): void {
  noteCoverage('model', new Map(COMPOSED.map((id) => [id, system[id].taken])))
}

function alone(machine: AnyStateMachine, { states, edges, taken }: Alone): MachineCount {
  const sites = sitesOf(machine).filter(
    (site) => !isIgnore(site) && site.id !== `${machine.id} · * · 0`,
  )
  const untaken = sites.flatMap(({ id }) => (taken.has(id) ? [] : [id]))
  const covered = share(sites.length - untaken.length, sites.length)
  return { id: machine.id, states, edges, covered, untaken }
}
