/**
 * `npm run chaos -- --kills N --seed S [--workers 4] [--lanes 2] [--only kind,kind] [--traces folder]
 * [--json]`: random faults on a pool of real browsers under load. What happens goes to stderr; the last
 * line on stdout is one JSON object. Exit code 1 when anything was lost, doubled or left behind, or was
 * not as the machines say, with the command that does the same again.
 */
import { parseArgs } from 'node:util'
import { watchPools } from '../support/traces.ts'
import { FAULT_NAMES, type FaultName } from './fault-plan.ts'
import { isClean } from './chaos-report.ts'
import { type ChaosOptions, runChaos } from './chaos-run.ts'

const DEFAULT_KILLS = 100
const MAX_SEED = 2 ** 32 - 1

const { values } = parseArgs({
  options: {
    kills: { type: 'string' },
    seed: { type: 'string' },
    workers: { type: 'string' },
    lanes: { type: 'string' },
    only: { type: 'string' },
    traces: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})

function whole(
  name: 'kills' | 'seed' | 'workers' | 'lanes',
  byDefault: number,
  max: number,
): number {
  const text = values[name]
  const value = text === undefined ? byDefault : Number(text)
  if (Number.isSafeInteger(value) && value >= (name === 'seed' ? 0 : 1) && value <= max)
    return value
  process.stderr.write(`--${name}: must be a whole number up to ${max}, not ${text}\n`)
  process.exit(2)
}

function kindsOf(text: string | undefined): readonly FaultName[] {
  if (text === undefined) return FAULT_NAMES
  const names = text.split(',') as FaultName[]
  if (names.every((name) => FAULT_NAMES.includes(name))) return names
  process.stderr.write(`--only: must be some of ${FAULT_NAMES.join(',')}, not ${text}\n`)
  process.exit(2)
}

const options: ChaosOptions = {
  kills: whole('kills', DEFAULT_KILLS, 100_000),
  seed: whole('seed', Date.now() % MAX_SEED, MAX_SEED),
  workers: whole('workers', 4, 16),
  lanes: whole('lanes', 2, 8),
  kinds: kindsOf(values.only),
  onFault: ({ number, name }, tookMs, problem) => {
    const end = problem === null ? '' : `  NOT HEALED: ${problem}`
    process.stderr.write(`${String(number).padStart(4)} ${name.padEnd(16)} ${tookMs} ms${end}\n`)
  },
}

function table(report: object): string {
  return Object.entries(report)
    .map(([key, value]) => `${key.padEnd(18)} ${JSON.stringify(value)}\n`)
    .join('')
}

const { kills, seed, workers, lanes } = options
process.stderr.write(`chaos: ${kills} faults on ${workers} workers, seed ${seed}\n`)
const conformanceOf = watchPools('chaos', values.traces)
const run = await runChaos(options)
const report = { ...run, conformance: await conformanceOf() }
for (const skipped of report.skipped) process.stderr.write(`SKIPPED ${skipped}\n`)
if (!values.json) process.stdout.write(table(report))
if (report.conformance.differences > 0 || !isClean(report)) {
  const only = values.only === undefined ? '' : ` --only ${values.only}`
  const settings = `--kills ${kills} --seed ${seed} --workers ${workers} --lanes ${lanes}${only}`
  const again = `npm run chaos -- ${settings}`
  process.stderr.write(`FAILED with seed ${seed}. Again: ${again}\n`)
  process.exitCode = 1
}
// A fault that did not end still looks for its end.
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit())
