/**
 * The pool option `workerScript`: a module of the user's that is loaded in each worker before the
 * task file, and hears of the worker's beginning and of its orderly end. A script that fails at its
 * beginning would fail again: the error is permanent. One that fails at the end stops nothing.
 */
import { TroupeError } from '../common/errors.ts'
import type { SessionFacts } from '../tasks.ts'
import type { WorkerScriptContext } from '../task/context.ts'
import type { WorkerInit } from '../process/ipc/protocol.ts'
import { succeeds } from './time-limit.ts'

/** An orderly end waits so long for `teardown`, and no longer. */
export const TEARDOWN_LIMIT_MS = 5_000

type Hook = (context: WorkerScriptContext) => Promise<void> | void

export interface WorkerScript {
  /** Never rejects, and never takes longer than its limit. */
  teardown(): Promise<void>
}

export interface ScriptPorts {
  readonly session: SessionFacts
  log(message: string, fields?: Readonly<Record<string, unknown>>): void
  onTeardownFailed(error: unknown): void
}

/**
 * Loads the script and runs its `setup`.
 *
 * @throws TroupeError WORKER_START_FAILED, naming the script.
 */
export async function openWorkerScript(
  url: string,
  { slot, incarnation }: Pick<WorkerInit, 'slot' | 'incarnation'>,
  ports: ScriptPorts,
): Promise<WorkerScript> {
  const context: WorkerScriptContext = {
    slot,
    incarnation,
    store: ports.session.store,
    log: ports.log,
  }
  const loaded = await attempt(url, 'did not load', () => import(url))
  const setup = hookOf(url, loaded, 'setup')
  const teardown = hookOf(url, loaded, 'teardown')
  if (setup !== null) await attempt(url, 'failed in setup', () => setup(context))
  return {
    teardown: async () => {
      if (teardown === null) return
      try {
        const done = Promise.resolve(teardown(context))
        done.catch(ports.onTeardownFailed)
        await succeeds(TEARDOWN_LIMIT_MS, done)
      } catch (error) {
        ports.onTeardownFailed(error)
      }
    },
  }
}

async function attempt<T>(url: string, what: string, action: () => Promise<T> | T): Promise<T> {
  try {
    return await action()
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new TroupeError('WORKER_START_FAILED', `the worker script ${url} ${what}: ${message}`, {
      cause,
    })
  }
}

function hookOf(url: string, loaded: Record<string, unknown>, name: string): Hook | null {
  const hook = Object.hasOwn(loaded, name) ? loaded[name] : undefined
  if (hook === undefined || typeof hook === 'function') return (hook as Hook | undefined) ?? null
  throw new TroupeError('WORKER_START_FAILED', `the worker script ${url}: ${name} is no function`)
}
