/**
 * `npm run check`: types, lint, the project's own style, and drawings that are up to date. With
 * `--json` the last line says what the import graph and the word list found.
 */
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { ImportGraph } from './import-graph.ts'
import { filesBelow, isBelow, isSource } from './tidy-files.ts'
import { fileLength } from './tidy-rules.ts'
import { coinedWords } from './tidy-words.ts'

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, list: { type: 'boolean', default: false } },
})
const root = resolve(import.meta.dirname, '../..')

/** The parts, in turn; the first that fails ends it. */
const parts = [['types'], ['lint'], ['tidy'], ['render', '--', '--check']]
const failed = values.list
  ? undefined
  : parts.find(
      (part) =>
        spawnSync('npm', ['run', '--silent', ...part], { cwd: root, stdio: 'inherit' }).status !==
        0,
    )

if (values.json || values.list) {
  const files = await filesBelow(root)
  const graph = new ImportGraph(files)
  const found = {
    circles: graph.circles(false),
    typeCircles: graph.circles(true),
    mutualFolderPairs: graph.mutualFolderPairs(),
    deadExports: graph.deadExports(),
    overLongFiles: files.flatMap(fileLength),
    coinedWords: files.flatMap(coinedWords),
  }
  if (values.list) for (const [rule, list] of Object.entries(found)) console.log(rule, list)
  const own = files.filter((file) => isSource(file) && isBelow(file, 'machines', 'src'))
  const counts = Object.entries(found).map(([rule, list]) => [rule, list.length])
  console.log(JSON.stringify({ files: own.length, ...Object.fromEntries(counts) }))
}
process.exitCode = failed === undefined ? 0 : 1
