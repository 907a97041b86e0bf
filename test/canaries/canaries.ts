/**
 * `npm run canaries`: plants each bug in a copy of the project and runs the tests that claim to catch
 * it. First without any bug: tests that fail anyway catch nothing. With `--json` the last line is for
 * machines; `--only <text>` takes the bugs whose names hold the text.
 */
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { PLANTED_BUGS, type PlantedBug } from './planted-bugs.ts'
import { runTests } from './test-run.ts'
import { copyTree, type TreeCopy } from './tree-copy.ts'

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, only: { type: 'string', default: '' } },
})
/** In `--json` only the last line is on stdout. */
const say = (text: string) => (values.json ? console.error(text) : console.log(text))

/** Why the bug was not caught, or null. */
async function release(tree: TreeCopy, bug: PlantedBug): Promise<string | null> {
  let takeOut: () => Promise<void>
  try {
    takeOut = await tree.plant(bug)
  } catch (error) {
    return (error as Error).message
  }
  try {
    const startedMs = performance.now()
    const { failed, isHung, passed } = await runTests(tree.folder, [bug.test], bug.named)
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1)
    const isCaught = failed.length > 0 || isHung
    const by = isHung ? 'it hangs' : (failed[0] ?? `${passed} tests passed`)
    say(`${isCaught ? 'caught' : 'MISSED'} ${bug.layer}: ${bug.bug} (${seconds} s: ${by})`)
    return isCaught ? null : `${passed} tests of ${bug.test} passed with it`
  } finally {
    await takeOut()
  }
}

/** Tests that fail, or of which there are none, without any bug. */
async function unfit(tree: TreeCopy, bugs: readonly PlantedBug[]): Promise<Map<string, string>> {
  const runs = new Map(bugs.map((bug) => [`${bug.test} ${bug.named}`, bug]))
  const found = new Map<string, string>()
  for (const [key, { test, named }] of runs) {
    const { passed, failed, isHung } = await runTests(tree.folder, [test], named)
    if (failed.length > 0) found.set(key, `fails without it, too: ${failed[0]}`)
    else if (isHung || passed === 0) found.set(key, 'no test passes without it')
  }
  return found
}

async function main(): Promise<number> {
  const bugs = PLANTED_BUGS.filter(({ bug }) => bug.includes(values.only))
  await using tree = await copyTree(resolve(import.meta.dirname, '../..'))
  const useless = await unfit(tree, bugs)
  const missed: { bug: string; layer: string; why: string }[] = []
  for (const bug of bugs) {
    const why = useless.get(`${bug.test} ${bug.named}`) ?? (await release(tree, bug))
    if (why === null) continue
    say(`MISSED ${bug.bug}: ${why}`)
    missed.push({ bug: bug.bug, layer: bug.layer, why })
  }
  const summary = { planted: bugs.length, caught: bugs.length - missed.length, missed }
  if (values.json) console.log(JSON.stringify(summary))
  else say(`${summary.caught} of ${summary.planted} planted bugs were caught`)
  return missed.length === 0 && bugs.length > 0 ? 0 : 1
}

process.exitCode = await main()
