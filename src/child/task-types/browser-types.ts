/**
 * The `browser.*` types: what one asks of a page most often, without a line of code. Files become
 * artifacts; nothing binary travels to the pool.
 */
import type {
  BuiltInTypes,
  ContentPayload,
  DownloadPayload,
  EvaluatePayload,
  PdfPayload,
  ScreenshotPayload,
} from '../../task-types/built-in.ts'
import type { ResultOf, TaskContext } from '../../task/context.ts'
import { TroupeError } from '../../common/errors.ts'
import type { TypeGround } from './ground.ts'
import { checkScheme, openPage } from './page-request.ts'

type Result<Name extends keyof BuiltInTypes> = Promise<ResultOf<BuiltInTypes[Name]>>

export async function screenshot(
  context: TaskContext<ScreenshotPayload>,
  { facts }: TypeGround,
): Result<'browser.screenshot'> {
  const { page, payload, artifact } = context
  const opened = await openPage(context, facts.schemes)
  const { type = 'png', quality, clip, fullPage, selector, name } = payload
  const look = { type, ...(quality === undefined ? {} : { quality }) }
  let bytes: Uint8Array
  if (selector === undefined) {
    bytes = await page.screenshot({
      ...look,
      ...(clip === undefined ? {} : { clip }),
      ...(fullPage === undefined ? {} : { fullPage }),
    })
  } else {
    const element = await page.$(selector)
    if (element === null) throw notThere(selector)
    bytes = await element.screenshot(look)
  }
  return { ...opened, artifact: await artifact(name ?? `screenshot.${type}`, bytes) }
}

export async function pdf(
  context: TaskContext<PdfPayload>,
  { facts }: TypeGround,
): Result<'browser.pdf'> {
  const { page, payload, artifact } = context
  const opened = await openPage(context, facts.schemes)
  const { name, format, landscape, background = true, scale, pages, margin } = payload
  const bytes = await page.pdf({
    printBackground: background,
    ...(format === undefined ? {} : { format }),
    ...(landscape === undefined ? {} : { landscape }),
    ...(scale === undefined ? {} : { scale }),
    ...(pages === undefined ? {} : { pageRanges: pages }),
    ...(margin === undefined ? {} : { margin: withoutGaps(margin) }),
  })
  return { ...opened, artifact: await artifact(name ?? 'page.pdf', bytes) }
}

export async function content(
  context: TaskContext<ContentPayload>,
  { facts }: TypeGround,
): Result<'browser.content'> {
  const { page, payload } = context
  const opened = await openPage(context, facts.schemes)
  const found = await page.evaluate(
    (selector, asText) => {
      const element =
        selector === null ? document.documentElement : document.querySelector(selector)
      if (element === null) return null
      return asText ? (element as HTMLElement).innerText : element.outerHTML
    },
    payload.selector ?? null,
    payload.as === 'text',
  )
  if (found === null) throw notThere(payload.selector ?? '')
  return { ...opened, content: found }
}

export async function evaluate(
  context: TaskContext<EvaluatePayload>,
  { facts }: TypeGround,
): Result<'browser.evaluate'> {
  const { page, payload } = context
  const opened = await openPage(context, facts.schemes)
  const { script, args = [] } = payload
  // An expression as it stands, or a function that is called: as in the console of a browser.
  const program = `(async () => {
    const value = (${script}
    )
    return typeof value === 'function' ? value(...${JSON.stringify(args)}) : value
  })()`
  return { ...opened, value: await page.evaluate(program) }
}

export async function download(
  { payload, download: fetchFile }: TaskContext<DownloadPayload>,
  { facts }: TypeGround,
): Result<'browser.download'> {
  const { url, name, timeout, maxBytes } = payload
  return fetchFile(checkScheme(url, facts.schemes), {
    ...(name === undefined ? {} : { name }),
    ...(timeout === undefined ? {} : { timeout }),
    ...(maxBytes === undefined ? {} : { maxBytes }),
  })
}

function withoutGaps(margin: NonNullable<PdfPayload['margin']>) {
  return Object.fromEntries(Object.entries(margin).filter(([, side]) => side !== undefined))
}

function notThere(selector: string): TroupeError {
  return new TroupeError('TASK_FAILED', `the page has no element ${selector}`)
}
