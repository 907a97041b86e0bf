/**
 * The oracle of everything that must leave nothing behind (G3): processes and folders, counted from
 * the operating system. The counting itself is that of `troupe/testing`, which the demo uses too. It
 * never ends or removes what it finds.
 */
import { type Census, leftAfter } from '../../src/testing/census.ts'

export {
  type Census,
  leftAfter,
  type ProcessFacts,
  takeCensus,
} from '../../src/testing/census.ts'

const SHOWN_COMMAND_LENGTH = 160

/**
 * Resolves as soon as no process and no folder is left of what was not there when the census was
 * taken.
 *
 * @throws Error that lists what is left after `withinMs`.
 * @example
 * using census = takeCensus()
 * await runPool({ runFolder: census.root })
 * await nothingLeft(census, { withinMs: 2_000 })
 */
export async function nothingLeft(
  census: Census,
  { withinMs }: { readonly withinMs: number },
): Promise<void> {
  const { processes, folders } = await leftAfter(census, { withinMs })
  if (processes.length === 0 && folders.length === 0) return
  const lines = [
    ...processes.map(({ pid, parent, command }) => {
      return `process ${pid} (parent ${parent}): ${command.slice(0, SHOWN_COMMAND_LENGTH)}`
    }),
    ...folders.map((folder) => `folder ${folder}`),
  ]
  throw new Error(`left behind after ${withinMs} ms:\n${lines.join('\n')}`)
}
