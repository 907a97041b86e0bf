/** The pool option `taskTypes`, as users read and write it. Types only. */

/**
 * What task types beside those of the task file may do. Durations are in ms, sizes in bytes.
 *
 * @example
 * taskTypes: {
 *   allow: ['execute-code', 'shell-command'],
 *   commands: ['pdftotext'],
 *   modules: { folders: [new URL('./jobs/', import.meta.url)] },
 * }
 */
export interface TaskTypesOptions {
  /** Types that are off otherwise, for they run what a payload brings. Default: none. */
  allow?: OptInName[] | undefined
  /** A browser for `browser.*` although no task of the task file needs one. Default false. */
  browser?: boolean | undefined
  /** Schemes that `browser.*` and `http-request` may open. Default http, https and data. */
  schemes?: ('http' | 'https' | 'data' | 'file')[] | undefined
  /** Bytes of a response that `http-request` takes. Default 16 MiB. */
  maxResponseBytes?: number | undefined
  /** What `execute-function` and `execute-module` may load. Default: nothing. */
  modules?:
    | {
        /** Every module in them may be loaded, by its `file:` URL. */
        folders?: (URL | string)[] | undefined
        /** Modules by the names that payloads use. */
        named?: Record<string, URL | string> | undefined
      }
    | undefined
  /** What `shell-command` may run: names on the PATH, or absolute paths. Default: nothing. */
  commands?: string[] | undefined
  /**
   * `auto` (default): bubblewrap where its self-test passes; `required`: or else the pool does not
   * start; `off`: never.
   */
  sandbox?: 'auto' | 'required' | 'off' | undefined
  /** True: `shell-command` may run where there is no sandbox. Default false. */
  unsafe?: boolean | undefined
  /** Of each disposable process. */
  limits?:
    | {
        /** ms it may live. Default 30,000. */
        timeout?: number | undefined
        /** Bytes of data; Node itself reserves some 350 MiB. Default 640 MiB, at least 512 MiB. */
        memory?: number | undefined
        /** Seconds of processor time. Default 30. */
        cpu?: number | undefined
        /** Bytes of one file, and of its temporary folder as a whole. Default 16 MiB. */
        fileSize?: number | undefined
        /** Bytes kept of stdout, and of stderr. Default 1 MiB. */
        output?: number | undefined
      }
    | undefined
}

/** Off until `taskTypes.allow` names them: each runs what the payload brings. */
export const OPT_IN_TYPES = ['execute-code', 'shell-command'] as const

export type OptInName = (typeof OPT_IN_TYPES)[number]
