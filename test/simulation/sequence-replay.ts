/**
 * `node test/simulation/sequence-replay.ts --seed S --path P --replay-path R`: one sequence of commands
 * once more, shrunk as a failure has told it. The exit code is 1 when it fails, 2 for a bad option.
 */
import { parseArgs } from 'node:util'
import { parseSeed } from '../../src/testing/simulation/seeded-random.ts'
import { replaySequence } from './sequence-fleet.ts'

const EXIT_FAILURE = 1
const EXIT_USAGE = 2

process.exitCode = await main()

async function main(): Promise<number> {
  try {
    const { values } = parseArgs({
      options: {
        seed: { type: 'string' },
        path: { type: 'string', default: '0' },
        'replay-path': { type: 'string' },
      },
    })
    const seed = parseSeed(values.seed)
    const failure = await replaySequence(seed, values.path, values['replay-path'])
    process.stdout.write(`${failure ?? 'it holds'}\n`)
    return failure === null ? 0 : EXIT_FAILURE
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    process.stderr.write(`${error.message}\n`)
    return EXIT_USAGE
  }
}
