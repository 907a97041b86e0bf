/** What a worker's own past says of its next task, in the plain model of the order. */
import { MAX_AFFINITY_STREAK, SPEED_WEIGHT } from '../../machines/order-policy.ts'
import type { TaskRecord } from '../../src/ledger/task/record.ts'
import type { ScenarioProcess } from './order-scenario.ts'

interface Past {
  affinity: string | undefined
  streak: number
  meanMs: number
  samples: number
}

export class ModelWorkers {
  readonly #pasts = new WeakMap<ScenarioProcess, Past>()

  of(process: ScenarioProcess): Past {
    let past = this.#pasts.get(process)
    if (past === undefined) {
      past = { affinity: undefined, streak: 0, meanMs: 0, samples: 0 }
      this.#pasts.set(process, past)
    }
    return past
  }

  /** The first of these that is like its last one, and whether it had enough of them. */
  alike(
    process: ScenarioProcess,
    tasks: readonly TaskRecord[],
  ): { readonly alike: TaskRecord | null; readonly isEnough: boolean } {
    const { affinity, streak } = this.of(process)
    if (affinity === undefined) return { alike: null, isEnough: false }
    const alike = tasks.find(({ options }) => options.affinity === affinity) ?? null
    const isOvertaking = alike !== null && alike !== tasks[0]
    return { alike, isEnough: isOvertaking && streak >= MAX_AFFINITY_STREAK }
  }

  noteStart(process: ScenarioProcess, { options }: TaskRecord, isOutOfTurn: boolean): void {
    const past = this.of(process)
    past.streak = isOutOfTurn ? past.streak + 1 : 0
    past.affinity = options.affinity ?? past.affinity
  }

  measure(process: ScenarioProcess, runMs: number): void {
    const past = this.of(process)
    const { meanMs, samples } = past
    past.meanMs = samples === 0 ? runMs : meanMs + SPEED_WEIGHT * (runMs - meanMs)
    past.samples++
  }
}
