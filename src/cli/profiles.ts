/**
 * `troupe profiles`: seal, check, list and clean browser profiles. Data goes to stdout, as a table
 * for people or as one line of JSON; what is wrong goes to stderr. It starts no browser.
 */
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { isTroupeError, TroupeError } from '../common/errors.ts'
import { checkProfile, sealProfile } from '../profile/seal.ts'
import { clearProfiles, surveyProfiles } from '../profile/survey.ts'
import { defaultRoot } from '../process/own-folder.ts'
import { safeText } from './progress.ts'

export const PROFILE_COMMANDS = ['seal', 'check', 'list', 'clean'] as const
export type ProfileCommand = (typeof PROFILE_COMMANDS)[number]
/** As of `troupe run`. */
export const EXIT = { ok: 0, problems: 1, usage: 2 } as const
/** Problems and folders told one by one. */
const MAX_LISTED = 100

/** What a command found or did. `exitCode` is the process's. */
export interface ProfileReport {
  readonly command: ProfileCommand
  /** Absolute. */
  readonly folder: string
  readonly exitCode: number
  readonly [fact: string]: unknown
}

interface Listed {
  readonly report: ProfileReport
  /** For people. */
  readonly text: string
}

/**
 * Runs one command.
 *
 * @param folder of a profile, for `seal` and `check`; of runs or of profiles for the others, where
 * null is the folder of this user's runs.
 * @throws TroupeError CONFIG_INVALID when there is no such folder.
 */
export async function profilesCommand(
  command: ProfileCommand,
  folder: string | null,
  flags: { readonly json?: boolean },
): Promise<number> {
  const { report, text } = await carryOut(command, folder)
  if (flags.json) process.stdout.write(`${JSON.stringify(report)}\n`)
  else if (text !== '') process.stdout.write(`${safeText(text)}\n`)
  return report.exitCode
}

function carryOut(command: ProfileCommand, given: string | null): Promise<Listed> {
  if (command === 'seal') return seal(existing(given ?? ''))
  if (command === 'check') return check(existing(given ?? ''))
  // Where no pool ever ran there is nothing, and nothing wrong.
  const root = given === null ? defaultRoot() : existing(given)
  return command === 'list' ? list(root) : clean(root)
}

async function seal(folder: string): Promise<Listed> {
  try {
    const { files, bytes } = await sealProfile(folder)
    const facts = { sealed: true, files: files.length, bytes }
    const text = `sealed ${folder}: ${countText(files.length, 'file')}, ${bytesText(bytes)}`
    return { report: { command: 'seal', folder, ...facts, exitCode: EXIT.ok }, text }
  } catch (error) {
    if (!isTroupeError(error, 'PROFILE_FAILED')) throw error
    const { code, message } = error
    const facts = { sealed: false, error: { code, message } }
    const text = `not sealed: ${message}`
    return { report: { command: 'seal', folder, ...facts, exitCode: EXIT.problems }, text }
  }
}

async function check(folder: string): Promise<Listed> {
  const { sealed, ok, files, bytes, problems } = await checkProfile(folder)
  const listed = problems.slice(0, MAX_LISTED)
  const exitCode = ok ? EXIT.ok : EXIT.problems
  const facts = { sealed, ok, files, bytes, problems: listed, problemCount: problems.length }
  const verdict = ok ? (sealed ? 'as sealed' : 'nothing wrong, but not sealed') : 'not to be used'
  const lines = [`${folder}: ${verdict} (${countText(files, 'file')}, ${bytesText(bytes)})`]
  for (const { kind, path, detail } of listed) lines.push(`  ${kind.padEnd(8)} ${path}: ${detail}`)
  lines.push(...moreText(problems.length))
  return { report: { command: 'check', folder, ...facts, exitCode }, text: lines.join('\n') }
}

async function list(folder: string): Promise<Listed> {
  const profiles = await surveyProfiles(folder).catch(noneThere)
  const bytes = profiles.reduce((sum, profile) => sum + profile.bytes, 0)
  const lines = profiles.map(({ folder: path, state, bytes: size, run }) => {
    const owner = run === null ? 'base' : run.isAlive ? 'of a living pool' : 'of a dead pool'
    return `${state.padEnd(11)} ${bytesText(size).padStart(9)}  ${owner.padEnd(16)}  ${path}`
  })
  lines.push(`${countText(profiles.length, 'profile')}, ${bytesText(bytes)}`)
  const report = { command: 'list', folder, profiles, bytes, exitCode: EXIT.ok } as const
  return { report, text: lines.join('\n') }
}

async function clean(folder: string): Promise<Listed> {
  const { removed, kept } = await clearProfiles(folder).catch((error: NodeJS.ErrnoException) => ({
    removed: noneThere(error),
    kept: [],
  }))
  const exitCode = kept.length === 0 ? EXIT.ok : EXIT.problems
  const lines = [
    ...removed.slice(0, MAX_LISTED).map((path) => `removed  ${path}`),
    ...moreText(removed.length),
    ...kept.map(({ folder: path, problem }) => `kept     ${path}: ${problem}`),
    removed.length + kept.length === 0 ? 'nothing to clean' : `${removed.length} removed`,
  ]
  const report = { command: 'clean', folder, removed, kept, exitCode } as const
  return { report, text: lines.join('\n') }
}

function existing(folder: string): string {
  const path = resolve(folder)
  // A path with a null character makes stat throw.
  const isFolder = !path.includes('\0') && statSync(path, { throwIfNoEntry: false })?.isDirectory()
  if (isFolder === true) return path
  throw new TroupeError('CONFIG_INVALID', `there is no folder ${path}`)
}

function noneThere(error: NodeJS.ErrnoException): never[] {
  if (error.code === 'ENOENT') return []
  throw error
}

function moreText(count: number): string[] {
  return count > MAX_LISTED ? [`  and ${count - MAX_LISTED} more`] : []
}

function countText(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let size = bytes
  let unit = 0
  for (; size >= 1_000 && unit < units.length - 1; unit++) size /= 1_000
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`
}
