/**
 * `npm run bench [-- --json] [-- --only noop,pages]`: the figures of Troupe, as built, beside its peers, in one run. A
 * table on stdout; with `--json` its last line is the rows as an array. Progress goes to stderr. It is not a test: a
 * missed aim is a row of the table, and only what breaks gives exit code 1.
 */
import { parseArgs } from 'node:util'
import { buildPackage } from './build.ts'
import { measureDispatch } from './dispatch.ts'
import { measureDispatchScale } from './dispatch-scale.ts'
import { measureDurable } from './durable.ts'
import { measureHeap } from './heap.ts'
import { measureMemory } from './memory.ts'
import { measureNoop } from './noop.ts'
import { measurePages } from './pages.ts'
import { ROW_IDS, type Row, type RowId, type Say } from './row.ts'
import { measureSpeedup } from './speedup.ts'
import { measureStart } from './start.ts'
import { measureStatus } from './status.ts'
import { table } from './table.ts'

const MEASURES: Readonly<Record<RowId, (say: Say) => Promise<Row>>> = {
  noop: measureNoop,
  dispatch: measureDispatch,
  pages: measurePages,
  start: measureStart,
  memory: measureMemory,
  status: measureStatus,
  heap: measureHeap,
  'dispatch-scale': measureDispatchScale,
  durable: measureDurable,
  speedup: measureSpeedup,
}
const USAGE = `usage: npm run bench -- [--json] [--only ${ROW_IDS.join(',')}]`

async function main(): Promise<void> {
  const wanted = readArguments()
  if (wanted === null) {
    process.exitCode = 2
    return
  }
  await buildPackage()
  const rows: Row[] = []
  for (const id of wanted.ids) {
    rows.push(await MEASURES[id]((line) => process.stderr.write(`${id.padEnd(9)} ${line}\n`)))
  }
  process.stdout.write(table(rows))
  if (wanted.json) process.stdout.write(`${JSON.stringify(rows)}\n`)
}

function readArguments(): { readonly json: boolean; readonly ids: readonly RowId[] } | null {
  try {
    const { values } = parseArgs({
      options: { json: { type: 'boolean', default: false }, only: { type: 'string' } },
    })
    return { json: values.json, ids: values.only === undefined ? ROW_IDS : rowIds(values.only) }
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n${USAGE}\n`)
    return null
  }
}

/** @throws Error that names the id nobody knows. */
function rowIds(list: string): RowId[] {
  const names = list.split(',').map((name) => name.trim())
  const unknown = names.find((name) => !ROW_IDS.some((id) => id === name))
  if (unknown !== undefined) throw new Error(`--only: there is no row '${unknown}'`)
  return ROW_IDS.filter((id) => names.includes(id))
}

try {
  await main()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
}
