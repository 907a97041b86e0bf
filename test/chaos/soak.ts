/**
 * `npm run soak -- --minutes M [--workers 2] [--recycle 40] [--traces folder] [--json]`: does anything
 * grow that must not, and is all that is done as the machines say? The last line on stdout is one JSON
 * object; exit code 1 when a task was lost, a step was another than the machine's, or a slope is above
 * its limit by more than chance explains (2.5 standard errors). The longer it runs, the smaller a leak
 * it finds.
 */
import { parseArgs } from 'node:util'
import { watchPools } from '../support/traces.ts'
import { runSoak } from './soak-run.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    workers: { type: 'string', default: '2' },
    recycle: { type: 'string', default: '40' },
    traces: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const [minutes, workers, recycle] = [values.minutes, values.workers, values.recycle].map(Number)
if (!minutes || !(minutes >= 0.5) || !Number.isInteger(workers) || !Number.isInteger(recycle)) {
  process.stderr.write('--minutes: at least 0.5; --workers and --recycle: whole numbers\n')
  process.exit(2)
}

let samples = 0
const conformanceOf = watchPools('chaos', values.traces)
const run = await runSoak({
  minutes,
  workers: workers ?? 2,
  maxTasksPerWorker: recycle ?? 40,
  onSample: (seen, tasks) => {
    if (values.json || samples++ % 10 !== 0) return
    const { pss, heap, ...counts } = seen
    const [all, own] = [pss, heap].map((bytes) => (bytes / 1024 / 1024).toFixed(1))
    process.stderr.write(`${tasks} tasks, ${all} MB, heap ${own} MB, ${JSON.stringify(counts)}\n`)
  },
})
const report = { ...run, conformance: await conformanceOf() }
const grown = Object.entries(report.slopes).filter(([, { isOver }]) => isOver)
for (const [kind, { perMinute, limit }] of grown) {
  process.stderr.write(`GROWS ${kind}: ${perMinute} a minute, the limit is ${limit}\n`)
}
const { lost, conformance } = report
if (grown.length > 0 || lost > 0 || conformance.differences > 0) process.exitCode = 1
process.stdout.write(`${JSON.stringify(report)}\n`)
