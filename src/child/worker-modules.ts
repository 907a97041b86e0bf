/**
 * What a worker loads before it can serve: the worker script, the task file, the task types beside it, and
 * what their disposable processes need. It runs no task.
 */
import { NO_TASK_TYPES } from '../process/ipc/child-types.ts'
import type { Disposables } from '../sandbox/disposable.ts'
import { disposableMark } from '../process/ipc/disposable-mark.ts'
import type { WorkerInit } from '../process/ipc/protocol.ts'
import type { ChildHost } from './child-host.ts'
import type { LoadedTasks } from './task-file.ts'
import { withTypes } from './task-types/catalog.ts'
import type { ScriptPorts, WorkerScript } from './worker-script.ts'

export class WorkerModules {
  #script: WorkerScript | null = null
  /** Null as long as nothing that needs one is allowed. */
  #disposables: Disposables | null = null
  readonly #init: WorkerInit
  readonly #childHost: ChildHost

  constructor(init: WorkerInit, childHost: ChildHost) {
    this.#init = init
    this.#childHost = childHost
  }

  /** @throws TroupeError WORKER_START_FAILED: it would fail the same way again. */
  async load(ports: ScriptPorts): Promise<LoadedTasks> {
    const { workerScript, taskTypes: facts = NO_TASK_TYPES, tasks: url } = this.#init
    // What this worker does not need is not loaded: it would cost every start.
    if (workerScript !== undefined) {
      const { openWorkerScript } = await import('./worker-script.ts')
      this.#script = await openWorkerScript(workerScript, this.#init, ports)
    }
    if (facts.disposable !== null) {
      const { Disposables } = await import('../sandbox/disposable.ts')
      this.#disposables = new Disposables()
    }
    const own = await this.#childHost.loadTasks(url)
    const disposables = this.#disposables
    const ground = { facts, disposables, mark: disposableMark(this.#init) }
    return { ...own, tasks: await withTypes(own.tasks, ground) }
  }

  /** The orderly end. Never rejects, and never takes longer than its limit. */
  async putAway(): Promise<void> {
    await this.#script?.teardown()
  }

  killAll(): void {
    this.#disposables?.killAll()
  }
}
