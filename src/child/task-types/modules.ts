/**
 * `execute-function` and `execute-module`: a function of a module that the configuration allows, by
 * name or because it lies in an allowed folder. A link that leads out of the folder is seen through.
 * The module is code of yours: it runs in the worker, as a handler does.
 */
import { realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { TroupeError } from '../../common/errors.ts'
import type { FunctionPayload, ModulePayload } from '../../task-types/built-in.ts'
import type { PlainTaskContext } from '../../task/context.ts'
import type { ChildTaskTypes } from '../../process/ipc/child-types.ts'
import type { TypeGround } from './ground.ts'
import { withPayload } from './with-payload.ts'

export async function executeFunction(
  { payload }: PlainTaskContext<FunctionPayload>,
  { facts }: TypeGround,
): Promise<unknown> {
  const call = await functionOf(payload, facts.modules)
  return call(...(payload.args ?? []))
}

export async function executeModule(
  context: PlainTaskContext<ModulePayload>,
  { facts }: TypeGround,
): Promise<unknown> {
  const call = await functionOf(context.payload, facts.modules)
  return call(withPayload(context, context.payload.payload))
}

async function functionOf(
  { module, export: name = 'default' }: { module: string; export?: string | undefined },
  allowed: ChildTaskTypes['modules'],
): Promise<(...args: unknown[]) => unknown> {
  const loaded: Record<string, unknown> = await import(await allowedUrl(module, allowed))
  const found = Object.hasOwn(loaded, name) ? loaded[name] : undefined
  if (typeof found === 'function') return found as (...args: unknown[]) => unknown
  const known = Object.keys(loaded).filter((key) => typeof loaded[key] === 'function')
  throw refusal(
    'export',
    `${module} exports no function "${name}"; it exports: ${known.join(', ')}`,
  )
}

async function allowedUrl(module: string, allowed: ChildTaskTypes['modules']): Promise<string> {
  const named = Object.hasOwn(allowed.named, module) ? allowed.named[module] : undefined
  if (named !== undefined) return named
  if (!module.startsWith('file:') || !URL.canParse(module))
    throw refusal('module', notAllowed(module))
  const path = await realpath(fileURLToPath(module)).catch(() => {
    throw refusal('module', `there is no file ${module}`)
  })
  for (const folder of allowed.folders) {
    const inside = join(await realpath(folder).catch(() => folder), sep)
    if (path.startsWith(inside)) return pathToFileURL(path).href
  }
  throw refusal('module', notAllowed(module))
}

function notAllowed(module: string): string {
  return `${module.slice(0, 200)} is not allowed: name it, or its folder, in taskTypes.modules`
}

function refusal(field: string, message: string): TroupeError {
  return new TroupeError('PAYLOAD_INVALID', `payload.${field}: ${message}`, { retryable: false })
}
