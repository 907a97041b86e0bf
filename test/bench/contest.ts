/**
 * Runs contestants in turns: each in a Node process of its own, so that heaps don't mix, round by round, so that a
 * slow minute of the machine hits everybody. It never runs two at once and knows nothing of what they measure.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { median, round, type Say } from './row.ts'

/** A contestant that is not done by then has broken. */
const CONTESTANT_LIMIT_MS = 180_000

export interface Contestant {
  readonly name: string
  /** Its file in peers/. Prints its figures as JSON, the last line of stdout. */
  readonly file: string
  readonly args?: readonly string[]
  /** Options of its Node. */
  readonly nodeArgs?: readonly string[]
}

/** One contestant's figures, by name. */
export type Figures = Readonly<Record<string, number>>

/** The median of each contestant's figures over all rounds, by its name. */
export async function contest(
  contestants: readonly Contestant[],
  rounds: number,
  say: Say,
): Promise<Map<string, Figures>> {
  const results = new Map<string, Figures[]>(contestants.map(({ name }) => [name, []]))
  for (let turn = 0; turn < rounds; turn += 1) {
    for (const contestant of rotated(contestants, turn)) {
      const figures = await runContestant(contestant)
      results.get(contestant.name)?.push(figures)
      const text = Object.entries(figures).map(([key, value]) => `${key} ${round(value)}`)
      say(`round ${turn + 1}/${rounds}  ${contestant.name.padEnd(28)} ${text.join('  ')}`)
    }
  }
  return new Map([...results].map(([name, figures]) => [name, mediansOf(figures)]))
}

/** Nobody runs first in every round. */
function rotated<T>(items: readonly T[], turn: number): T[] {
  const offset = Math.floor((turn * items.length) / 3) % items.length
  return [...items.slice(offset), ...items.slice(0, offset)]
}

function mediansOf(rounds: readonly Figures[]): Figures {
  const keys = Object.keys(rounds[0] ?? {})
  return Object.fromEntries(
    keys.map((key) => [key, median(rounds.map((r) => r[key] ?? Number.NaN))]),
  )
}

/** Runs a contestant once and gives back the figures it printed. */
async function runContestant(contestant: Contestant): Promise<Figures> {
  const { name, file, args = [], nodeArgs = [] } = contestant
  const path = fileURLToPath(new URL(`./peers/${file}`, import.meta.url))
  const child = spawn(process.execPath, [...nodeArgs, path, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: CONTESTANT_LIMIT_MS,
    killSignal: 'SIGKILL',
  })
  let output = ''
  let complaints = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text
  })
  const [code, signal] = await once(child, 'close')
  const last = output.trimEnd().split('\n').at(-1) ?? ''
  if (code !== 0 || !last.startsWith('{')) {
    throw new Error(`${name} broke (exit ${code ?? signal}):\n${complaints || output}`)
  }
  return JSON.parse(last) as Figures
}
