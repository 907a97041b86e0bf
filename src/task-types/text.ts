/** What is wrong with a payload, in words: each field by its path, with what it must be. */
import { relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TroupeError, type TroupeErrorOptions } from '../common/errors.ts'
import type { StandardIssue } from './task-type.ts'

export type StandardIssues = readonly StandardIssue[]

/** More than this help nobody. */
const MAX_ISSUES = 10
const MAX_MESSAGE_LENGTH = 300
const MAX_PATH_LENGTH = 200

/** What `name` has against a payload, for good. */
export function payloadRefusal(
  name: string,
  issues: StandardIssues,
  task?: TroupeErrorOptions['task'],
): TroupeError {
  return new TroupeError('PAYLOAD_INVALID', `${name}: ${issuesText(issues)}`, {
    retryable: false,
    ...(task === undefined ? {} : { task }),
  })
}

/** As `payload.clip.width must be a number; payload.url must be given`. */
export function issuesText(issues: StandardIssues): string {
  const lines = issues.slice(0, MAX_ISSUES).map(issueText)
  if (issues.length > MAX_ISSUES) lines.push(`… and ${issues.length - MAX_ISSUES} more`)
  return lines.join('; ')
}

function issueText({ message, path = [] }: StandardIssue): string {
  const steps = path.map((step) => stepText(typeof step === 'object' ? step.key : step)).join('')
  return `payload${steps.slice(0, MAX_PATH_LENGTH)} ${String(message).slice(0, MAX_MESSAGE_LENGTH)}`
}

function stepText(step: PropertyKey): string {
  if (typeof step === 'number') return `[${step}]`
  return typeof step === 'string' && /^[\w$]+$/.test(step)
    ? `.${step}`
    : `[${JSON.stringify(String(step))}]`
}

/** Whether a `file:` URL names something below `folder`, by its words alone. */
export function isInside(url: string, folder: string): boolean {
  try {
    const way = relative(folder, fileURLToPath(url))
    return way !== '' && way !== '..' && !way.startsWith(`..${sep}`)
  } catch {
    return false
  }
}
