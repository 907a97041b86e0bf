/** What every file looks like, as functions from a file to what is wrong with it. Imports are in `tidy-imports.ts`. */
import {
  isBelow,
  isSource,
  noMatch,
  type Rule,
  type SourceFile,
  withoutComments,
} from './tidy-files.ts'

const MAX_LINES = 300
const MAX_COLUMNS = 120
const OWN_CODE = ['src', 'machines', 'visualizations']
/** These words would be found in this very file, so they are put together. */
const word = (...parts: string[]) => parts.join('')

/** Machines know no clock, no chance, no waiting and no state of their module. */
export const pureMachines: Rule = (file) => {
  if (!isBelow(file, 'machines')) return []
  const impure =
    /\bnode:|\bDate\b|\bMath\.random\b|\basync\b|\bawait\b|\bPromise\b|\bset(Timeout|Interval|Immediate)\b/
  const moduleState = /^(export )?(let|var)\b/
  return [impure, moduleState].flatMap((pattern) => noMatch(pattern, withoutStrings)(file))
}

/** What a pool takes from the machine comes through its world, so that a simulation can give another. */
const WORLD = [
  ...['world', 'run', 'host-process'].map((part) => `src/pool/host/${part}.ts`),
  'src/ledger/ports.ts',
]
export const worldly: Rule = (file) => {
  const isBound = isBelow(file, 'src/pool', 'src/ledger')
  if (!isBound || WORLD.includes(file.path)) return []
  const direct = [
    /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|\bMath\.random\b|\bnanoid\b/,
    /(?<![.\w])set(Timeout|Interval|Immediate)\(|(?<![.#\w])fork\((?!id: )/,
    /\bmkdir(Sync)?\b|\bprocess\.(on|off|once)\b/,
  ]
  return direct.flatMap((pattern) => noMatch(pattern, withoutStrings)(file))
}

export const fileLength: Rule = (file) => {
  const lines = file.text.split('\n').length - 1
  const isTooLong = isOwnCode(file) && lines > MAX_LINES
  return isTooLong ? [`${file.path} has ${lines} lines, more than ${MAX_LINES}`] : []
}

export const lineWidth: Rule = (file) => {
  if (!isSource(file)) return []
  return file.text
    .split('\n')
    .flatMap((line, at) =>
      line.length > MAX_COLUMNS ? [`${file.path}:${at + 1} has ${line.length} columns`] : [],
    )
}

export const kebabNames: Rule = ({ path }) => {
  if (!/^(src|machines|visualizations|test|docs)\//.test(path)) return []
  const isKebab = (part: string) => /^\.?[a-z0-9]+([-.][a-z0-9]+)*$/.test(part)
  return path.split('/').every((part) => isKebab(part) || /^[A-Z]+\.md$/.test(part)) ? [] : [path]
}

/** A name that says nothing collects everything. */
export const descriptiveNames: Rule = ({ path }) =>
  /(^|[/-])(utils?|helpers?|managers?|misc|shared)([-./]|$)/.test(path) ? [path] : []

export const noDefaultExports: Rule = (file) => {
  if (!isBelow(file, 'src', 'machines')) return []
  return noMatch(/^export default\b|\bas default\b/, withoutComments)(file)
}

/** What was left for later is not left in. */
export const noMarks: Rule = (file) => {
  if (!isSource(file)) return []
  const marks = [
    `\\b(${word('TO', 'DO')}|${word('FIX', 'ME')}|${word('X', 'XX')})\\b`,
    `@${word('ts-', 'ignore')}`,
    `@${word('ts-no', 'check')}`,
  ]
  const code = [
    `\\bas ${word('a', 'ny')}\\b`,
    `\\b(it|test|describe|bench)\\.${word('on', 'ly')}\\b`,
    `\\b(it|test|describe|bench)\\.${word('sk', 'ip')}\\b`,
    `\\btest\\.${word('to', 'do')}\\b`,
  ]
  return [
    ...noMatch(new RegExp(marks.join('|')))(file),
    ...noMatch(new RegExp(code.join('|')), withoutStrings)(file),
  ]
}

/** A file says first what it is. */
export const openingComment: Rule = (file) => {
  if (!isSource(file) || !isOwnCode(file)) return []
  return /^(#!.*\n)?\/\*\*/.test(file.text) ? [] : [`${file.path} does not open with a comment`]
}

/** Nothing of the machine it was written on: no registry, no working folder. */
export const noPlaces: Rule = (file) => {
  const registry = word('https?://[^\\s/"\']*', '(registry|artifactory|nexus|verdaccio|mirror)')
  const folder = word('(^|[\\s\'"`(=:])/', '(work|root)/')
  return noMatch(new RegExp(`${registry}|${folder}`))(file)
}

function isOwnCode(file: SourceFile): boolean {
  return isSource(file) && isBelow(file, ...OWN_CODE)
}

/** Neither comments nor what stands in quotes: words there mean nothing to the machine. */
function withoutStrings(file: SourceFile): string {
  return withoutComments(file).replace(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, "''")
}
