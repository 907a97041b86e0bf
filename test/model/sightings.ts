/**
 * What must be seen at least once (`sometimes`), for a model that never gets there proves nothing.
 */
import type { Exploration } from './checker.ts'
import type { System } from './system.ts'

/** A sighting is a mark, or several of which each counts. */
const SIGHTINGS: Readonly<Record<string, readonly RegExp[]>> = {
  retry: [/^task: retry$/],
  release: [/^task: released$/],
  quarantine: [/^task: quarantine$/],
  killPastGrace: [/^task: kill past its grace$/],
  escalationToTerminate: [/^worker: stopping · after closeTimeout/],
  escalationToKill: [
    /^worker: terminating · after terminateTimeout/,
    /^worker: .*closing · after closeTimeout/,
  ],
  breakerOpen: [/^supervisor: .*closed · worker\.crashed · 0$/],
  breakerProbe: [/^supervisor: .*probing · start\.ended · 0$/],
  permitHandedOn: [/^supervisor: .*closed · start\.launched · 0$/],
  probeLaunched: [/^supervisor: .*probing · start\.launched · 0$/],
  zombie: [/^supervisor: .*watching · reading\.taken · [01]$/],
  secondSignal: [/^shutdown: .* · shutdown\.force · 0$/],
  replacement: [/^worker: .*recycling\.launching · session\.ready · 0$/],
  failedForGood: [/^worker: killing · process\.exited · 1$/],
  poolError: [
    /^pool: .* · worker\.failed · 0$/,
    /^pool: .*startDeadline · 1$/,
    /^pool: .*run\.failed · 0$/,
  ],
  recovery: [/^pool: .* · pool\.recover · 0$/],
  pause: [/^pool: .* · pool\.pause · 0$/],
  drained: [/^pool: .* · ledger\.emptied · 0$/],
  uncleanEnd: [/^shutdown: .* · after killTimeout · 0$/, /^shutdown: .* · after sweepTimeout · 0$/],
  spareCalled: [/^worker: standby · worker\.start · 0$/],
  successorAgain: [/^worker: .*recycling\.resting · after restartBackoff · 0$/],
  secondTry: [/^pool: .*starting\.late · /],
  diskFloor: [/^supervisor: .*disk\.\w+ · reading\.taken · 0$/],
  readingsMissing: [/^supervisor: .*readings\.coming · after readingTimeout · 0$/],
  hardMemoryLimit: [/^supervisor: .*sizes\.\w+ · reading\.taken · [0-9]$/],
  taskTimedOut: [/^task: timed out$/],
}

/** How many explored steps of the compositions showed each. */
export function sightingsOf(explorations: readonly Exploration[]): Record<string, number> {
  const counts = Object.fromEntries(Object.keys(SIGHTINGS).map((name) => [name, 0]))
  for (const { system } of explorations) {
    for (const [mark, uses] of marksOf(system)) {
      for (const [name, patterns] of Object.entries(SIGHTINGS)) {
        if (patterns.some((pattern) => pattern.test(mark)))
          counts[name] = (counts[name] ?? 0) + uses
      }
    }
  }
  return counts
}

function marksOf(system: System): Map<string, number> {
  const marks = new Map<string, number>()
  const actors = [
    system.pool,
    system.supervisor,
    system.shutdown,
    system.worker,
    system.ledger,
    system.host,
  ]
  for (const actor of actors) {
    for (const { marks: seen, uses } of actor.results()) {
      for (const mark of seen) marks.set(mark, (marks.get(mark) ?? 0) + uses)
    }
  }
  return marks
}
