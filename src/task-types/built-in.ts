/**
 * The built-in task types: their names, what each takes and gives, and which need a browser. Every
 * pool knows them beside the tasks of its task file. Types and one table; what they do is in
 * `child/task-types`, what they accept is checked by `schema.ts`.
 */
import type { Artifact, TaskDefinition } from '../task/context.ts'
import { OPT_IN_TYPES, type OptInName } from '../api/task-types.ts'

/** What every `browser.*` type takes. */
export interface PageRequest {
  /** What to open. Exactly one of `url` and `html`. */
  readonly url?: string | undefined
  readonly html?: string | undefined
  /** Default `load`. */
  readonly waitUntil?: 'load' | 'domcontentloaded' | 'networkidle0' | 'networkidle2' | undefined
  /** A selector that must be there before the task goes on. */
  readonly waitFor?: string | undefined
  /** ms that opening, and waiting for the selector, may each take. Default 30,000. */
  readonly timeout?: number | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly viewport?:
    | { readonly width: number; readonly height: number; readonly scale?: number | undefined }
    | undefined
}

/** What every `browser.*` type tells of the page it has opened. */
export interface PageFacts {
  /** Where it ended up, after redirects. */
  readonly url: string
  readonly title: string
  /** HTTP status; null where there was no answer over HTTP. */
  readonly status: number | null
}

export interface ScreenshotPayload extends PageRequest {
  /** The artifact's file name. Default `screenshot.<type>`. */
  readonly name?: string | undefined
  readonly type?: 'png' | 'jpeg' | 'webp' | undefined
  /** 0–100; not for png. */
  readonly quality?: number | undefined
  readonly fullPage?: boolean | undefined
  /** Only this element. */
  readonly selector?: string | undefined
  readonly clip?:
    | { readonly x: number; readonly y: number; readonly width: number; readonly height: number }
    | undefined
}

export interface PdfPayload extends PageRequest {
  /** The artifact's file name. Default `page.pdf`. */
  readonly name?: string | undefined
  readonly format?: 'a3' | 'a4' | 'a5' | 'letter' | 'legal' | 'tabloid' | undefined
  readonly landscape?: boolean | undefined
  /** Default true. */
  readonly background?: boolean | undefined
  /** 0.1–2 */
  readonly scale?: number | undefined
  /** As `1-3, 5`. */
  readonly pages?: string | undefined
  /** CSS lengths, as `10mm`. */
  readonly margin?:
    | {
        readonly top?: string | undefined
        readonly right?: string | undefined
        readonly bottom?: string | undefined
        readonly left?: string | undefined
      }
    | undefined
}

export interface ContentPayload extends PageRequest {
  /** Only this element. */
  readonly selector?: string | undefined
  /** `html` (default), or the text a reader sees. */
  readonly as?: 'html' | 'text' | undefined
}

export interface EvaluatePayload extends PageRequest {
  /** An expression, or a function of `args`; it runs in the page. Its result must be JSON. */
  readonly script: string
  readonly args?: readonly unknown[] | undefined
}

export interface DownloadPayload {
  readonly url: string
  /** The artifact's file name. Default: what the server suggests. */
  readonly name?: string | undefined
  /** ms, default 30,000. */
  readonly timeout?: number | undefined
  /** Default 256 MiB. */
  readonly maxBytes?: number | undefined
}

export interface HttpRequestPayload {
  readonly url: string
  /** Default GET. */
  readonly method?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: string | Uint8Array | undefined
  /** Of the body that comes back. `bytes` becomes an artifact. Default `text`. */
  readonly as?: 'text' | 'json' | 'bytes' | undefined
  /** The artifact's file name. Default: the last part of the URL. */
  readonly name?: string | undefined
  /** Redirects that are followed. Default 10; with 0 the answer is the redirect itself. */
  readonly redirects?: number | undefined
  /** A body above it fails the task. Default and limit: `taskTypes.maxResponseBytes`. */
  readonly maxBytes?: number | undefined
  /** ms for the whole exchange. Default 30,000. */
  readonly timeout?: number | undefined
}

export interface HttpResponse {
  readonly url: string
  readonly status: number
  readonly ok: boolean
  readonly headers: Readonly<Record<string, string>>
  readonly redirects: number
  readonly bytes: number
  /** Text, or what the JSON says; null for bytes. */
  readonly body: unknown
  readonly artifact?: Artifact
}

export interface FunctionPayload {
  /** A name of `taskTypes.modules`, or a `file:` URL in one of its folders. */
  readonly module: string
  /** Which of the module's functions. Default `default`. */
  readonly export?: string | undefined
  /** `execute-function` calls it with these. */
  readonly args?: readonly unknown[] | undefined
}

export interface ModulePayload {
  /** A name of `taskTypes.modules`, or a `file:` URL in one of its folders. */
  readonly module: string
  /** Which of the module's functions: a handler, called with a task's context. Default `default`. */
  readonly export?: string | undefined
  /** The handler's `context.payload`. */
  readonly payload?: unknown
}

export interface CodePayload {
  /** The body of an async function; `input` is in scope, `return` gives the result. */
  readonly code: string
  /** JSON. */
  readonly input?: unknown
  /** ms; never more than `taskTypes.limits.timeout`. */
  readonly timeout?: number | undefined
}

/** What kept a disposable process apart: a sandbox, or no more than a guard against accidents. */
export type Isolation = 'bubblewrap' | 'none'

interface DisposableEnd {
  readonly stdout: string
  readonly stderr: string
  /** True when either was longer than `taskTypes.limits.output`. */
  readonly truncated: boolean
  readonly isolation: Isolation
}

export interface CodeResult extends DisposableEnd {
  readonly value: unknown
}

export interface CommandPayload {
  /** A name of `taskTypes.commands`. */
  readonly command: string
  /** Passed on as they are: there is no shell. */
  readonly args?: readonly string[] | undefined
  /** Its standard input. */
  readonly input?: string | Uint8Array | undefined
  /** Exit codes that are no failure. Default 0 alone. */
  readonly exitCodes?: readonly number[] | undefined
  /** ms; never more than `taskTypes.limits.timeout`. */
  readonly timeout?: number | undefined
}

export interface CommandResult extends DisposableEnd {
  readonly exitCode: number
}

/** Every built-in type, as if the task file defined it. */
export interface BuiltInTypes {
  'browser.screenshot': TaskDefinition<
    ScreenshotPayload,
    PageFacts & { readonly artifact: Artifact }
  >
  'browser.pdf': TaskDefinition<PdfPayload, PageFacts & { readonly artifact: Artifact }>
  'browser.content': TaskDefinition<ContentPayload, PageFacts & { readonly content: string }>
  'browser.evaluate': TaskDefinition<EvaluatePayload, PageFacts & { readonly value: unknown }>
  'browser.download': TaskDefinition<DownloadPayload, Artifact>
  'http-request': TaskDefinition<HttpRequestPayload, HttpResponse>
  'execute-function': TaskDefinition<FunctionPayload, unknown>
  'execute-module': TaskDefinition<ModulePayload, unknown>
  'execute-code': TaskDefinition<CodePayload, CodeResult>
  'shell-command': TaskDefinition<CommandPayload, CommandResult>
}

declare global {
  /**
   * The types of plug-ins, for TypeScript: a package that brings one declares it here.
   *
   * @example
   * declare global {
   *   interface TroupePlugInTypes { 'acme.resize': typeof resize }
   * }
   */
  // oxlint-disable-next-line typescript/no-empty-object-type -- filled by those who declare their own.
  interface TroupePlugInTypes {}
}

export type BuiltInName = keyof BuiltInTypes

/** Whether a type needs a browser. */
export const BUILT_IN_TYPES: Readonly<Record<BuiltInName, { readonly browser: boolean }>> = {
  'browser.screenshot': { browser: true },
  'browser.pdf': { browser: true },
  'browser.content': { browser: true },
  'browser.evaluate': { browser: true },
  'browser.download': { browser: true },
  'http-request': { browser: false },
  'execute-function': { browser: false },
  'execute-module': { browser: false },
  'execute-code': { browser: false },
  'shell-command': { browser: false },
}

export function isBuiltIn(name: string): name is BuiltInName {
  return Object.hasOwn(BUILT_IN_TYPES, name)
}

export function isOptIn(name: string): name is OptInName {
  return (OPT_IN_TYPES as readonly string[]).includes(name)
}
