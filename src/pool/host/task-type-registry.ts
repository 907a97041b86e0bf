/**
 * The task types of one pool: which are on, what each accepts. Built-in types are checked by schemas
 * of ours, those of plug-ins by their own; what the task file defines is nobody's to check here. It
 * refuses by name before anything is started; it runs no task.
 */
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { TroupeError } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import { isInside, payloadRefusal, type StandardIssues } from '../../task-types/text.ts'
import { type StandardSchema, type TaskType, taskTypesOf } from '../../task-types/task-type.ts'
import { BUILT_IN_TYPES, type BuiltInName, isBuiltIn, isOptIn } from '../../task-types/built-in.ts'
import { BUILT_IN_SCHEMAS } from '../../task-types/schema.ts'
import { copyOf } from '../../values/snapshot.ts'
import type { ChildTaskTypes, DisposableMeans } from '../../process/ipc/child-types.ts'
import type { TaskTypesFacts } from '../../config/task-types.ts'
import type { TaskManifest } from '../../process/ipc/protocol.ts'
import { findMeans } from '../../sandbox/probe.ts'

/** A name that no task file is likely to use by accident. */
const PLUG_IN_NAME = /^[a-z][\w-]*(\.[\w-]+)+$/i
const MAX_NAME_LENGTH = 200

export class TaskTypes {
  readonly #facts: TaskTypesFacts
  readonly #schemas = new Map<string, StandardSchema>()
  #means: DisposableMeans | null = null

  /**
   * Loads the plug-ins.
   *
   * @throws TroupeError CONFIG_INVALID naming the plug-in that does not load, or the name it takes.
   */
  constructor(facts: TaskTypesFacts) {
    this.#facts = facts
    for (const name of Object.keys(BUILT_IN_TYPES) as BuiltInName[]) {
      this.#schemas.set(name, BUILT_IN_SCHEMAS[name] as StandardSchema)
    }
    for (const url of facts.plugins) for (const type of loadPlugIn(url)) this.#register(type, url)
  }

  /** What a worker is told at its birth. */
  get forChild(): ChildTaskTypes {
    const { commands: _, sandbox: __, ...facts } = this.#facts
    return { ...facts, disposable: this.#means }
  }

  /**
   * Checks the payload of a task of any type; those of the task file pass.
   *
   * @throws TroupeError TASK_UNKNOWN for a type that is off, PAYLOAD_INVALID naming each field.
   */
  check(name: string, payload: unknown): void {
    const schema = this.#schemas.get(name)
    if (schema === undefined) return
    const off = this.#whyOff(name)
    if (off !== null) throw new TroupeError('TASK_UNKNOWN', off)
    // The payload is ours by now: what a stranger's schema does with it stays with the schema.
    const shown = isBuiltIn(name) ? payload : copyOf(payload)
    const issues = issuesOf(schema, shown) ?? this.#ownRule(name, payload)
    if (issues !== null) throw payloadRefusal(name, issues)
  }

  /** What to say of a task that no worker of this pool knows. */
  unknown(name: string, known: Iterable<TaskManifest>): TroupeError {
    const names = [...known].flatMap((own) => (own.builtIn ? [] : [own.name])).join(', ')
    const why = this.#whyOff(name) ?? whyMissing(name)
    return new TroupeError('TASK_UNKNOWN', why ?? `there is no task "${name}"; known: ${names}`)
  }

  #whyOff(name: string): string | null {
    if (!isOptIn(name) || this.#facts.allow.includes(name)) return null
    return `"${name}" runs what a payload brings, so it is off: taskTypes: { allow: ['${name}'] }`
  }

  /**
   * Finds out what the machine offers, before the first worker is born.
   *
   * @throws TroupeError CONFIG_INVALID when what the options insist on cannot be had.
   */
  async prepare(logger: Logger): Promise<void> {
    this.#means ??= await findMeans(this.#facts)
    const sandbox = this.#means?.sandbox
    if (sandbox?.kind !== 'none') return
    const types = this.#facts.allow.join(' and ')
    const { reason } = sandbox
    logger.warn(`${types}: no sandbox, only a guard against accidents: run no hostile code`, {
      reason,
    })
  }

  #register(type: TaskType, url: string): void {
    const { name, schema } = type
    if (typeof name !== 'string' || !PLUG_IN_NAME.test(name) || name.length > MAX_NAME_LENGTH) {
      refuse(`${url}: ${JSON.stringify(name)} is no name for a type; write it as acme.resize`)
    }
    if (this.#schemas.has(name)) refuse(`${url}: there is already a type "${name}"`)
    if (typeof schema?.['~standard']?.validate !== 'function') {
      refuse(`${url}: the schema of "${name}" does not speak Standard Schema (~standard.validate)`)
    }
    this.#schemas.set(name, schema)
  }

  /** What a schema cannot know: what this pool's options allow. */
  #ownRule(name: string, payload: unknown): StandardIssues | null {
    const { url, module, command } = payload as Partial<Record<string, string>>
    if (name.startsWith('browser.') || name === 'http-request') {
      if (!isBuiltIn(name) || url === undefined) return null
      return this.#schemeRule(url, name === 'http-request')
    }
    if (name === 'shell-command' && !this.#facts.commands.includes(command ?? '')) {
      const message = `must be one of taskTypes.commands: ${this.#facts.commands.join(', ')}`
      return [{ message, path: ['command'] }]
    }
    if (name !== 'execute-function' && name !== 'execute-module') return null
    return isAllowed(module ?? '', this.#facts.modules)
      ? null
      : [{ message: 'must be allowed by taskTypes.modules', path: ['module'] }]
  }

  #schemeRule(url: string, isRequest: boolean): StandardIssues | null {
    const allowed = this.#facts.schemes.filter((scheme) => !isRequest || scheme !== 'file')
    const scheme = new URL(url).protocol.slice(0, -1)
    if (allowed.includes(scheme)) return null
    const message = `must begin with ${allowed.map((name) => `${name}:`).join(' or ')}`
    return [{ message, path: ['url'] }]
  }
}

/** A schema that answers later is asked by the worker alone. */
function issuesOf(schema: StandardSchema, payload: unknown): StandardIssues | null {
  const result = schema['~standard'].validate(payload)
  if (!(result instanceof Promise)) return result.issues ?? null
  result.catch(() => undefined)
  return null
}

function whyMissing(name: string): string | null {
  if (!isBuiltIn(name) || !BUILT_IN_TYPES[name].browser) return null
  return `"${name}" needs a browser, and no task of the task file does: taskTypes: { browser: true }`
}

/** By its words alone; a link that leads out of a folder is found by the worker. */
function isAllowed(module: string, { named, folders }: TaskTypesFacts['modules']): boolean {
  if (Object.hasOwn(named, module)) return true
  if (!module.startsWith('file:') || !URL.canParse(module)) return false
  return folders.some((folder) => isInside(module, folder))
}

/** At once, so that the first task can be checked: `require` loads ES modules too. */
function loadPlugIn(url: string): TaskType[] {
  let exported: Record<string, unknown>
  try {
    exported = createRequire(import.meta.url)(fileURLToPath(url)) as Record<string, unknown>
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const why = code === 'ERR_REQUIRE_ASYNC_MODULE' ? 'it awaits at its top level' : message
    return refuse(`${url} did not load: ${why}`, cause)
  }
  const types = taskTypesOf(exported)
  if (types.length === 0) refuse(`${url} exports no task type; make one with defineTaskType()`)
  return types
}

function refuse(message: string, cause?: unknown): never {
  const options = cause === undefined ? {} : { cause }
  throw new TroupeError('CONFIG_INVALID', `plugins: ${message}`, options)
}
