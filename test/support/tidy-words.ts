/**
 * Words this project once coined for what the field has a name for. Each entry is one coined sense:
 * looked for in names of things and files and in log and error texts. The same word in its ordinary
 * sense is free.
 */
import { isBelow, isSource, type Rule, type SourceFile, withoutComments } from './tidy-files.ts'

interface CoinedSense {
  readonly pattern: RegExp
  readonly instead: string
  /** Where the sense was coined; elsewhere the name means something else. */
  readonly folders?: readonly string[]
}

const name = (pattern: string) => new RegExp(`(?<![\\w$])#?(?:${pattern})(?![\\w$])`)
const part = (word: string, capital: string) =>
  new RegExp(`(?<![A-Za-z])${word}(?![a-z])|[a-z0-9_]${capital}(?![a-z])`)

const SENSES: readonly CoinedSense[] = [
  { pattern: part('[Dd]eeds?', 'Deeds?'), instead: 'action' },
  { pattern: name('tell[A-Z]\\w*|[a-z]\\w*Told\\w*|\\w*ToldBy\\w*'), instead: 'send' },
  { pattern: /'(ledger|pool|workers|supervisor|shutdown)\.tell'|\.tell\(/, instead: 'send' },
  {
    pattern: name('\\w*(?:Words|Word)|words?Of'),
    instead: 'messages',
    folders: ['machines', 'src', 'test/model'],
  },
  {
    pattern: name('(?:to|from)?ErrorFacts|SlotFacts|TaskFacts'),
    instead: 'SerializedError, SlotStats',
  },
  { pattern: part('[Ss]eats?', 'Seats?'), instead: 'WorkerCapacity, TabLease' },
  {
    pattern: name('Lane|Strand|Bond|twin|isParked|wasParked'),
    instead: 'PriorityBucket, AffinityList',
  },
  {
    pattern: name('Line|Routes?'),
    instead: 'GroupQueue, RequirementClass',
    folders: ['src/ledger'],
  },
  { pattern: name('\\w*Books|books'), instead: 'CommitGate, …Oracle' },
  { pattern: part('[Rr]etiree', 'Retiree'), instead: 'outgoing process' },
  { pattern: /'process\.left'/, instead: 'outgoing process' },
  { pattern: /\bleave to start\b/, instead: 'start permit' },
  { pattern: name('\\w+Keeper|keeper'), instead: '…Lifecycle' },
  { pattern: name('\\w*Voices?|voices?'), instead: 'Router' },
  { pattern: name('\\w*Ears|ears'), instead: '…Listener' },
  {
    pattern: name('ChildBirth|BIRTH_VARIABLE|birth|Home|processHome'),
    instead: 'WorkerInit, ChildHost',
  },
  { pattern: name('Aftermath\\w*|aftermath|Offers'), instead: 'CompletedTasks, Capabilities' },
  {
    pattern: name('PoolNews|PoolAnnouncer|announcer|announce|news'),
    instead: 'PoolEvents, EventReporter',
  },
  { pattern: name('PoolBusiness|buryRemains|bury|buried'), instead: 'PendingWork, reap' },
  { pattern: part('[Ff]laws?', 'Flaws?'), instead: 'violation' },
  { pattern: name('blame(?:If)?|unrest\\w*'), instead: 'report, pending' },
  {
    pattern: name('Cast|recast|substitution'),
    instead: 'roster, reassign, swap',
    folders: ['machines'],
  },
  {
    pattern: part('(?<!request)[Ss]tage', '(?<!request)Stage'),
    instead: 'scenario',
    folders: ['test', 'src/testing'],
  },
  { pattern: name('climb|Ladder\\w*|LADDER_\\w+'), instead: 'escalate' },
  { pattern: name('Pen|Wake|TableAge|Prospect|\\w+Desk|Equipment'), instead: 'see house words' },
  { pattern: name('[Ss]trikes?|strike[A-Z]\\w*|STRIKE_MS'), instead: 'inject' },
]
/** These name the senses themselves. */
const EXEMPT = ['test/support/tidy-words.ts', 'test/tidy.test.ts']
const FILE_NAMES =
  /(^|[/-])(deeds?|words?|facts|seats?|books|retiree|keeper|aftermath|announcer|stage)([-.])/

/** A coined word in the name of a thing or a file, or in a text for a log. */
export const coinedWords: Rule = (file) => {
  if (!isBelow(file, 'machines', 'src', 'test') || EXEMPT.includes(file.path)) return []
  if (!isSource(file)) return []
  const named = FILE_NAMES.test(file.path) ? [`${file.path} is named by a coined word`] : []
  const senses = SENSES.filter(({ folders }) => folders === undefined || isBelow(file, ...folders))
  const lines = codeOf(file).split('\n')
  const found = lines.flatMap((line, at) =>
    senses
      .filter(({ pattern }) => pattern.test(line))
      .map(({ instead }) => `${file.path}:${at + 1}: ${line.trim()} (${instead})`),
  )
  return [...named, ...found]
}

/** Names and the texts of logs and errors; other texts are ordinary English. */
function codeOf(file: SourceFile): string {
  const code = withoutComments(file).replace(/`(?:[^`\\]|\\.)*\n(?:[^`\\]|\\.)*`/g, (text) =>
    text.replace(/[^\n]/g, ' '),
  )
  return code
    .split('\n')
    .map((line) => {
      if (/\b(?:logger|log|console)\.\w+\(|new \w*Error\(|refuse\(/.test(line)) return line
      return line.replace(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`[^`\n]*`/g, (text) =>
        /^'[a-z]+\.[a-zA-Z]+'$/.test(text) ? text : "''",
      )
    })
    .join('\n')
}
