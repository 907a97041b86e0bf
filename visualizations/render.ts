/**
 * `npm run render` draws every machine to visualizations/<id>.svg. With `--check` it writes nothing and exits with 1
 * when a committed picture is not what the machine would be drawn as now.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { machines } from '../machines/index.ts'
import { chartOf } from './chart.ts'
import { layOut } from './layout.ts'
import { svgOf } from './svg.ts'

const isCheck = process.argv.includes('--check')
const outdated: string[] = []

for (const [id, machine] of Object.entries(machines)) {
  const file = new URL(`${id}.svg`, import.meta.url)
  const drawn = svgOf(await layOut(chartOf(machine)))
  const committed = await readFile(file, 'utf8').catch(() => null)
  if (drawn === committed) continue
  outdated.push(`visualizations/${id}.svg`)
  if (!isCheck) await writeFile(file, drawn)
}

if (!isCheck) process.stdout.write(`drawn anew: ${outdated.join(', ') || 'nothing'}\n`)
else if (outdated.length > 0) {
  process.stderr.write(`out of date: ${outdated.join(', ')} (npm run render)\n`)
  process.exitCode = 1
}
