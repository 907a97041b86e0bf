/**
 * What the built-in task types accept, as zod schemas. The pool alone loads this file: a worker
 * trusts what the pool has checked, and is spared the 80 ms and 18 MB that zod costs it.
 */
import { z } from 'zod'
import { MAX_DURATION_MS } from '../common/checks.ts'
import type { BuiltInName, BuiltInTypes } from './built-in.ts'
import type { PayloadOf } from '../task/context.ts'

const MAX_URL_LENGTH = 2 * 1024 * 1024
const MAX_HTML_LENGTH = 32 * 1024 * 1024
export const MAX_CODE_LENGTH = 1024 * 1024
const MAX_ARGUMENTS = 4_096
/** Of all arguments together; Linux takes no more than 128 KiB in one. */
const MAX_ARGUMENT_LENGTH = 128 * 1024 - 1
const MAX_NAME_LENGTH = 255
const MAX_SELECTOR_LENGTH = 10_000
const MAX_HEADERS = 200
const MAX_HEADER_LENGTH = 65_536
const MAX_SIDE_PIXELS = 16_384
const MAX_REDIRECTS = 20
const MAX_BYTES = 2 ** 50
const TOKEN = /^[!#$%&'*+.^_`|~\dA-Za-z-]+$/

function text(max: number, min = 1) {
  const error = `must be a string of ${min} to ${max} characters`
  return z.string({ error }).min(min, { error }).max(max, { error })
}

function number(min: number, max: number) {
  const error = `must be a number from ${min} to ${max}`
  return z.number({ error }).min(min, { error }).max(max, { error })
}

function whole(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`
  return z.int({ error }).min(min, { error }).max(max, { error })
}

const one = <const Names extends readonly [string, ...string[]]>(...names: Names) =>
  z.enum(names, { error: `must be one of: ${names.join(', ')}` })
const flag = () => z.boolean({ error: 'must be true or false' })
const list = <Item extends z.ZodType>(item: Item) =>
  z
    .array(item, { error: 'must be an array' })
    .max(MAX_ARGUMENTS, { error: `must have at most ${MAX_ARGUMENTS} entries` })
    .readonly()
const object = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.strictObject(shape, { error: objectError })

function objectError(issue: { readonly code?: string; readonly keys?: unknown }) {
  if (issue.code === 'invalid_type') return 'must be an object'
  if (issue.code !== 'unrecognized_keys' || !Array.isArray(issue.keys)) return undefined
  return `has no field ${issue.keys.slice(0, 5).map(String).join(', ')}`
}

const timeout = whole(1, MAX_DURATION_MS).optional()
const name = text(MAX_NAME_LENGTH).optional()
const selector = text(MAX_SELECTOR_LENGTH).optional()
const url = text(MAX_URL_LENGTH).refine((value) => URL.canParse(value), {
  error: 'must be an absolute URL, as https://example.com/',
})
const headers = z
  .record(
    z.string().regex(TOKEN, { error: 'is no name of a header' }),
    text(MAX_HEADER_LENGTH, 0).regex(/^[^\0\r\n]*$/, { error: 'must be one line' }),
    { error: 'must be an object of strings' },
  )
  .refine((all) => Object.keys(all).length <= MAX_HEADERS, {
    error: `must have at most ${MAX_HEADERS} entries`,
  })
  .optional()

const bytesOrText = (max: number) =>
  z
    .custom<string | Uint8Array>(
      (value) => typeof value === 'string' || value instanceof Uint8Array,
      { error: 'must be a string or a Uint8Array' },
    )
    .refine((value) => value.length <= max, { error: `must not be longer than ${max}` })
    .optional()

const page = {
  url: url.optional(),
  html: text(MAX_HTML_LENGTH, 0).optional(),
  waitUntil: one('load', 'domcontentloaded', 'networkidle0', 'networkidle2').optional(),
  waitFor: selector,
  timeout,
  headers,
  viewport: object({
    width: whole(1, MAX_SIDE_PIXELS),
    height: whole(1, MAX_SIDE_PIXELS),
    scale: number(0.1, 10).optional(),
  }).optional(),
}

function pageType<Shape extends z.ZodRawShape>(shape: Shape) {
  return object({ ...page, ...shape }).refine(
    (given: { url?: unknown; html?: unknown }) =>
      (given.url === undefined) !== (given.html === undefined),
    { path: ['url'], error: 'must be given, or html in its place, and not both' },
  )
}

const length = text(32).regex(/^\d+(\.\d+)?(px|in|cm|mm)$/, {
  error: 'must be a CSS length, as 10mm',
})

const screenshot = pageType({
  name,
  type: one('png', 'jpeg', 'webp').optional(),
  quality: whole(0, 100).optional(),
  fullPage: flag().optional(),
  selector,
  clip: object({
    x: number(0, MAX_SIDE_PIXELS),
    y: number(0, MAX_SIDE_PIXELS),
    width: number(1, MAX_SIDE_PIXELS),
    height: number(1, MAX_SIDE_PIXELS),
  }).optional(),
})
  .refine(({ quality, type }) => quality === undefined || (type ?? 'png') !== 'png', {
    path: ['quality'],
    error: 'is for jpeg and webp only',
  })
  .refine(
    ({ clip, fullPage, selector: element }) =>
      [clip !== undefined, fullPage === true, element !== undefined].filter(Boolean).length <= 1,
    { path: ['clip'], error: 'is one of clip, fullPage and selector: name one of them' },
  )

const pdf = pageType({
  name,
  format: one('a3', 'a4', 'a5', 'letter', 'legal', 'tabloid').optional(),
  landscape: flag().optional(),
  background: flag().optional(),
  scale: number(0.1, 2).optional(),
  pages: text(200)
    .regex(/^[\d\s,-]+$/, { error: 'must be page numbers, as 1-3, 5' })
    .optional(),
  margin: object({
    top: length.optional(),
    right: length.optional(),
    bottom: length.optional(),
    left: length.optional(),
  }).optional(),
})

const json = z.unknown().refine(isJson, { error: 'must be JSON' })
const moduleOf = { module: text(MAX_SELECTOR_LENGTH), export: text(MAX_NAME_LENGTH).optional() }

/** By name. Each refuses what it does not know: a slip of the pen is no option. */
export const BUILT_IN_SCHEMAS = {
  'browser.screenshot': screenshot,
  'browser.pdf': pdf,
  'browser.content': pageType({ selector, as: one('html', 'text').optional() }),
  'browser.evaluate': pageType({
    script: text(MAX_CODE_LENGTH),
    args: list(json).optional(),
  }),
  'browser.download': object({
    url,
    name,
    timeout,
    maxBytes: whole(1, MAX_BYTES).optional(),
  }),
  'http-request': object({
    url,
    method: text(32).regex(TOKEN, { error: 'must be a method, as POST' }).optional(),
    headers,
    body: bytesOrText(MAX_HTML_LENGTH),
    as: one('text', 'json', 'bytes').optional(),
    name,
    redirects: whole(0, MAX_REDIRECTS).optional(),
    maxBytes: whole(1, MAX_BYTES).optional(),
    timeout,
  }).refine(({ body, method }) => body === undefined || !/^(get|head)$/i.test(method ?? 'GET'), {
    path: ['body'],
    error: 'is not for GET and HEAD: name a method',
  }),
  'execute-function': object({ ...moduleOf, args: list(z.unknown()).optional() }),
  'execute-module': object({ ...moduleOf, payload: z.unknown().optional() }),
  'execute-code': object({ code: text(MAX_CODE_LENGTH), input: json.optional(), timeout }),
  'shell-command': object({
    command: text(MAX_NAME_LENGTH),
    args: list(text(MAX_ARGUMENT_LENGTH, 0).regex(/^[^\0]*$/, { error: 'holds a NUL' })).optional(),
    input: bytesOrText(MAX_HTML_LENGTH),
    exitCodes: list(whole(0, 255)).optional(),
    timeout,
  }),
} satisfies Record<BuiltInName, z.ZodType>

/** The types whose schema does not take exactly the payload that users see. */
type Disagreeing = {
  [Name in BuiltInName]: PayloadOf<BuiltInTypes[Name]> extends z.input<
    (typeof BUILT_IN_SCHEMAS)[Name]
  >
    ? keyof z.input<(typeof BUILT_IN_SCHEMAS)[Name]> extends keyof PayloadOf<BuiltInTypes[Name]>
      ? never
      : Name
    : Name
}[BuiltInName]
true satisfies [Disagreeing] extends [never] ? true : Disagreeing

/** Whether JSON carries it as it is: nothing is dropped, nothing calls itself. */
function isJson(value: unknown): boolean {
  try {
    return value === undefined || JSON.stringify(value) !== undefined
  } catch {
    return false
  }
}
