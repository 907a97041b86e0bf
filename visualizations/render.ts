/**
 * `npm run render` draws every machine to visualizations/<id>.svg. With `--check` it draws and writes nothing, and
 * exits with 1 when a committed picture is of another chart than the machine has now; that what is committed is what
 * would be drawn, test/machines/drawing.test.ts says.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { machines } from '../machines/index.ts'
import { markIn, markOf, pictureOf } from './picture.ts'

const isCheck = process.argv.includes('--check')
const outdated: string[] = []

for (const [id, machine] of Object.entries(machines)) {
  const file = new URL(`${id}.svg`, import.meta.url)
  const committed = await readFile(file, 'utf8').catch(() => '')
  const drawn = isCheck ? null : await pictureOf(machine)
  if (drawn === null ? markIn(committed) === markOf(machine) : drawn === committed) continue
  outdated.push(`visualizations/${id}.svg`)
  if (drawn !== null) await writeFile(file, drawn)
}

if (!isCheck) process.stdout.write(`drawn anew: ${outdated.join(', ') || 'nothing'}\n`)
else if (outdated.length > 0) {
  process.stderr.write(`out of date: ${outdated.join(', ')} (npm run render)\n`)
  process.exitCode = 1
}
