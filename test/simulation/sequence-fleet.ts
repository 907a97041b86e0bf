/**
 * Many sequences of commands, a seed for each: how many went wrong, and what was seen. One that fails
 * is shrunk by fast-check, and told with what replays it.
 */
import fc from 'fast-check'
import { useVirtualTime } from '../../src/testing/simulation/virtual-time.ts'
import type { PoolCommand } from '../../src/testing/commands/pool-commands.ts'
import { runSequence, type SequenceReport, sequences, type Setting } from './sequence.ts'

/** Sequences run side by side: they share the turns of the real event loop, and nothing else. */
const AT_ONCE = 8
/** Runs that one shrinking may cost. */
const MAX_SHRINKS = 400
const MAX_LISTED = 10
export const MAX_SEQUENCES = 1_000_000

export interface SequenceFailure {
  readonly seed: number
  /** As fast-check needs them to run the shrunk sequence again. */
  readonly path: string
  readonly replayPath: string
  readonly what: string
  /** The shrunk commands, and how many runs the shrinking took. */
  readonly commands: readonly string[]
  readonly setting: string
  readonly shrinks: number
  readonly replay: string
}

interface SequencePlan {
  readonly firstSeed: number
  readonly count: number
  /** No further sequence is begun once one has failed. */
  readonly isStoppedByFailure?: boolean
  /** Failing sequences that are shrunk and told; more are only counted. Default 10. */
  readonly maxListed?: number
  readonly onFailure?: (failure: SequenceFailure) => void
}

interface SequenceTally {
  run: number
  /** Of all sequences that have held. */
  commands: number
  failed: number
  virtualMs: number
  readonly failures: SequenceFailure[]
  readonly seen: Record<string, number>
  readonly struck: Record<string, number>
  readonly asked: Record<string, number>
}

export async function runSequences(plan: SequencePlan): Promise<SequenceTally> {
  const { firstSeed, count, isStoppedByFailure = false } = plan
  const tally: SequenceTally = {
    run: 0,
    commands: 0,
    failed: 0,
    virtualMs: 0,
    failures: [],
    seen: {},
    struck: {},
    asked: {},
  }
  const giveTimeBack = useVirtualTime()
  try {
    for (let done = 0; done < count; done += AT_ONCE) {
      if (isStoppedByFailure && tally.failed > 0) break
      const seeds = Array.from(
        { length: Math.min(AT_ONCE, count - done) },
        (_, at) => firstSeed + done + at,
      )
      await Promise.all(seeds.map((seed) => checkOne(seed, tally, plan)))
    }
  } finally {
    giveTimeBack()
  }
  return tally
}

/** Browsers take longer to simulate: every fourth sequence has one. */
function hasBrowser(seed: number): boolean {
  return seed % 4 === 3
}

async function checkOne(seed: number, tally: SequenceTally, plan: SequencePlan): Promise<void> {
  const { maxListed = MAX_LISTED, onFailure } = plan
  const heard = (report: SequenceReport) => note(tally, report)
  const once = { numRuns: 1, seed: seed | 0 }
  const { failed } = await fc.check(propertyOf(seed, heard), { ...once, endOnFailure: true })
  tally.run++
  if (!failed) return
  if (++tally.failed > maxListed) return
  const failure = failureOf(
    seed,
    await fc.check(
      propertyOf(seed, () => undefined),
      once,
    ),
  )
  tally.failures.push(failure)
  onFailure?.(failure)
}

function note(tally: SequenceTally, report: SequenceReport): void {
  tally.commands += report.commands
  tally.virtualMs += report.virtualMs
  addTo(tally.seen, Object.fromEntries(report.seen))
  addTo(tally.struck, report.struck)
  addTo(tally.asked, report.asked)
}

/** What is needed of fast-check's RunDetails. */
interface Details {
  readonly counterexample: readonly [readonly [Iterable<unknown>, unknown]] | null
  readonly counterexamplePath: string | null
  readonly errorInstance: unknown
  readonly numShrinks: number
}

function failureOf(seed: number, details: Details): SequenceFailure {
  const [commands, setting] = details.counterexample?.[0] ?? [[], null]
  const path = details.counterexamplePath ?? ''
  const replayPath = /replayPath="([^"]*)"/.exec(String(commands))?.[1] ?? ''
  const command = 'node test/simulation/sequence-replay.ts'
  return {
    seed,
    path,
    replayPath,
    what: messageOf(details.errorInstance),
    commands: [...commands].map(String),
    setting: JSON.stringify(setting),
    shrinks: details.numShrinks,
    replay: `${command} --seed ${seed} --path ${path} --replay-path ${replayPath}`,
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function addTo(sums: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(more)) sums[name] = (sums[name] ?? 0) + count
}

/**
 * The shrunk sequence once more, as a failure has told it: what is wrong with it, or null.
 *
 * @throws TypeError for a path that leads nowhere
 */
export async function replaySequence(
  seed: number,
  path: string,
  replayPath?: string,
): Promise<string | null> {
  if (!/^\d+(:\d+)*$/.test(path)) throw new TypeError(`path: as 0:3:1, not ${path}`)
  const giveTimeBack = useVirtualTime()
  try {
    const property = propertyOf(seed, () => undefined, replayPath)
    const details = await fc.check(property, {
      numRuns: 1,
      seed: seed | 0,
      path,
      endOnFailure: true,
    })
    return details.failed ? failureText(failureOf(seed, details)) : null
  } finally {
    giveTimeBack()
  }
}

function propertyOf(
  seed: number,
  heard: (report: SequenceReport) => void,
  replayPath?: string,
): fc.IAsyncProperty<[[Iterable<PoolCommand>, Setting]]> {
  const drawn = fc.limitShrink(sequences(hasBrowser(seed), replayPath), MAX_SHRINKS)
  return fc.asyncProperty(drawn, async ([commands, setting]) =>
    heard(await runSequence(commands, setting, hasBrowser(seed))),
  )
}

export function failureText(failure: SequenceFailure): string {
  const { seed, path, what, commands, setting, shrinks, replay } = failure
  return [
    `sequence of seed ${seed} fails: ${what}`,
    `shrunk ${shrinks} times, to path ${path}: ${setting}`,
    ...commands.map((command) => `  ${command}`),
    `replay: ${replay}`,
  ].join('\n')
}
