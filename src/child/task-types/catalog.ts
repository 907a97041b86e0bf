/**
 * Every task type a worker knows beside its task file: the built-in ones that are allowed here, and
 * those of plug-ins. What a type needs is loaded when its first task runs: an unused type costs a
 * worker nothing.
 */
import { TroupeError } from '../../common/errors.ts'
import { type TaskType, taskTypesOf } from '../../task-types/task-type.ts'
import { payloadRefusal } from '../../task-types/text.ts'
import { BUILT_IN_TYPES, type BuiltInName, isBuiltIn, isOptIn } from '../../task-types/built-in.ts'
import type { Handler, PlainTaskContext, TaskContext } from '../../task/context.ts'
import type { LoadedTask } from '../task-file.ts'
import { withPayload } from './with-payload.ts'
import type { TypeGround } from './ground.ts'

type Run = (context: never, ground: TypeGround) => Promise<unknown>

const LOADERS: Readonly<Record<BuiltInName, () => Promise<Run>>> = {
  'browser.screenshot': async () => (await import('./browser-types.ts')).screenshot,
  'browser.pdf': async () => (await import('./browser-types.ts')).pdf,
  'browser.content': async () => (await import('./browser-types.ts')).content,
  'browser.evaluate': async () => (await import('./browser-types.ts')).evaluate,
  'browser.download': async () => (await import('./browser-types.ts')).download,
  'http-request': async () => (await import('./http-request.ts')).httpRequest,
  'execute-function': async () => (await import('./modules.ts')).executeFunction,
  'execute-module': async () => (await import('./modules.ts')).executeModule,
  'execute-code': async () => (await import('./disposable-types.ts')).executeCode,
  'shell-command': async () => (await import('./disposable-types.ts')).shellCommand,
}

/**
 * The task file's tasks, with the types beside them.
 *
 * @throws TroupeError WORKER_START_FAILED when a plug-in does not load, or a name is taken.
 */
export async function withTypes(
  own: ReadonlyMap<string, LoadedTask>,
  ground: TypeGround,
): Promise<ReadonlyMap<string, LoadedTask>> {
  for (const name of own.keys()) {
    if (isBuiltIn(name)) throw clash(`The task file defines "${name}", which is a built-in type`)
  }
  const all = new Map(own)
  for (const url of ground.facts.plugins) {
    for (const type of await loadPlugIn(url)) {
      if (all.has(type.name)) throw clash(`"${type.name}" of ${url} is defined already`)
      all.set(type.name, taskOf(type))
    }
  }
  const hasBrowser = ground.facts.browser || [...all.values()].some(({ browser }) => browser)
  for (const name of Object.keys(BUILT_IN_TYPES) as BuiltInName[]) {
    const { browser } = BUILT_IN_TYPES[name]
    const isOn = isOptIn(name) ? ground.facts.allow.includes(name) : !browser || hasBrowser
    if (isOn) all.set(name, builtIn(name, browser, ground))
  }
  return all
}

function builtIn(name: BuiltInName, browser: boolean, ground: TypeGround): LoadedTask {
  let loaded: Promise<Run> | null = null
  const handler = async (context: unknown): Promise<unknown> => {
    loaded ??= LOADERS[name]()
    const run = await loaded
    return run(context as never, ground)
  }
  return { browser, builtIn: true, handler } as LoadedTask
}

/** The handler gets what the schema makes of the payload, which travels as it was given. */
function taskOf({ name, browser, schema, handler }: TaskType): LoadedTask {
  const checked = async (context: PlainTaskContext): Promise<unknown> => {
    const { payload } = context
    const result = await schema['~standard'].validate(payload)
    if (result.issues !== undefined) throw payloadRefusal(name, result.issues)
    const { value } = result
    return handler((value === payload ? context : withPayload(context, value)) as TaskContext)
  }
  return { browser, handler: checked as Handler } as LoadedTask
}

async function loadPlugIn(url: string): Promise<TaskType[]> {
  try {
    return taskTypesOf((await import(url)) as Record<string, unknown>)
  } catch (cause) {
    const message = `The plug-in ${url} did not load: ${(cause as Error).message}`
    throw new TroupeError('WORKER_START_FAILED', message, { cause })
  }
}

function clash(what: string): TroupeError {
  return new TroupeError('WORKER_START_FAILED', `${what}: choose another name`)
}
