/**
 * The kinds of fields that a pool's options are made of, each with its limits and with the message
 * for who gets them wrong. It knows no option by name.
 */
import { z } from 'zod'
import { MAX_DURATION_MS } from '../common/checks.ts'

export const MAX_BYTES = 2 ** 50
const MAX_TEXT = 4_096
const MAX_SHORT_TEXT = 256

export function whole(min: number, max: number, description: string, unit = '') {
  const error = `must be a whole number${unit} from ${min} to ${max}`
  return z.int({ error }).min(min, { error }).max(max, { error }).describe(description)
}

export function ms(description: string, min = 0) {
  return whole(min, MAX_DURATION_MS, `ms. ${description}`, ' of ms')
}

export function share(description: string) {
  const error = 'must be a number from 0 to 1'
  return z.number({ error }).min(0, { error }).max(1, { error }).describe(description)
}

export function flag(description: string) {
  return z.boolean({ error: 'must be true or false' }).describe(description)
}

export function choice<const Names extends readonly [string, ...string[]]>(
  names: Names,
  description: string,
) {
  return z.enum(names, { error: `must be one of: ${names.join(', ')}` }).describe(description)
}

export function text(description: string) {
  const error = `must be a string of 1 to ${MAX_TEXT} characters`
  return z.string({ error }).min(1, { error }).max(MAX_TEXT, { error }).describe(description)
}

/** A name or a code. */
export function shortText(description: string) {
  const error = `must be a string of 1 to ${MAX_SHORT_TEXT} characters`
  return z.string({ error }).min(1, { error }).max(MAX_SHORT_TEXT, { error }).describe(description)
}

/** A module to load: a URL, or a path relative to the working folder. */
export function moduleReference(description: string) {
  const error = 'must be a URL or a path, as in new URL("../tasks.ts", import.meta.url)'
  const reference = z.union([z.string().min(1).max(MAX_TEXT), z.instanceof(URL)], { error })
  return reference.describe(description)
}

export function section<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, { error: sectionError })
}

/** Unknown keys keep zod's own issue: config.ts turns it into a suggestion. */
function sectionError(issue: { readonly code?: string }): string | undefined {
  return issue.code === 'invalid_type' ? 'must be an object' : undefined
}
