/**
 * `npm run model`: checks the composed machines whole and says what was found. With `--json` the
 * last line is for machines. `--short` leaves the large composition out, `--deep` takes the one for
 * a night.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { check, type Exploration, type Limits } from './checker.ts'
import { machinesOf } from './machine-counts.ts'
import { DEEP_PLAN, OPEN_FINDINGS, SHORT_PLANS, WHOLE_PLAN } from './plans.ts'
import { sightingsOf } from './sightings.ts'
import { chartOf, textOf, traceOf } from './trace.ts'

const LIMITS: Limits = { maxStates: 4_000_000, maxSeconds: 300 }
const DEEP_LIMITS: Limits = { maxStates: 40_000_000, maxSeconds: 3_600 }
const CHART_FOLDER = 'out/model'

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    short: { type: 'boolean', default: false },
    deep: { type: 'boolean', default: false },
  },
})

/** In `--json` only the last line is on stdout. */
const say = (text: string) => (values.json ? console.error(text) : console.log(text))

async function report(exploration: Exploration): Promise<void> {
  const { plan, states, edges, seconds, isComplete, violations } = exploration
  const size = `${plan.workers}×${plan.tasks}×${plan.faults}`
  const end = isComplete ? '' : ' NOT COMPLETE: a limit was reached'
  say(`${plan.name} ${size}: ${states} states, ${edges} edges, ${seconds.toFixed(1)} s${end}`)
  if (plan.heldStill.length > 0) say(`  held still: ${plan.heldStill.join('; ')}`)
  for (const [at, violation] of violations.entries()) {
    const trace = traceOf(exploration, violation)
    const known = OPEN_FINDINGS[violation.violation]
    say(`\n${known === undefined ? '' : `[${known}] `}${textOf(trace)}\n`)
    await mkdir(CHART_FOLDER, { recursive: true })
    const file = `${CHART_FOLDER}/${plan.name}-${at + 1}.mmd`
    await writeFile(file, chartOf(trace))
    say(`  drawn in ${file}`)
  }
}

async function run(): Promise<boolean> {
  const plans = values.deep ? [DEEP_PLAN] : [...SHORT_PLANS, ...(values.short ? [] : [WHOLE_PLAN])]
  const explorations: Exploration[] = []
  for (const plan of plans) {
    const exploration = check(plan, values.deep ? DEEP_LIMITS : LIMITS)
    explorations.push(exploration)
    await report(exploration)
  }
  const sometimes = sightingsOf(explorations)
  const unseen = Object.entries(sometimes).flatMap(([name, count]) => (count === 0 ? [name] : []))
  const machines = machinesOf(explorations)
  for (const { id, states, edges, covered, untaken } of machines) {
    say(
      `${id}: ${states} states, ${edges} edges, ${Math.round(covered * 100)} % of its transitions taken`,
    )
    if (untaken.length > 0) say(`  not taken: ${untaken.join('; ')}`)
  }
  if (unseen.length > 0) say(`never seen: ${unseen.join(', ')}`)
  const main = explorations.at(-1) as Exploration
  const violations = explorations.reduce((sum, one) => sum + one.violations.length, 0)
  const isComplete = explorations.every((one) => one.isComplete)
  if (values.json) {
    const { states, edges, seconds } = main
    console.log(
      JSON.stringify({
        machines: machines.map(({ untaken: _, ...machine }) => machine),
        composed: { states, edges, seconds: Math.round(seconds * 10) / 10, violations },
        sometimes,
      }),
    )
  }
  return isComplete && violations === 0 && (values.deep || unseen.length === 0)
}

process.exitCode = (await run()) ? 0 : 1
