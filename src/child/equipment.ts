/**
 * What a worker loads before it can serve: the worker script, the task file, the task types beside it, and
 * what their disposable processes need. It runs no task.
 */
import { NO_TASK_TYPES } from '../worker/child-types.ts'
import type { Disposables } from '../worker/disposable.ts'
import { disposableMark } from '../worker/disposable-mark.ts'
import type { ChildBirth } from '../worker/protocol.ts'
import type { Home } from './home.ts'
import type { LoadedTasks } from './task-file.ts'
import { withTypes } from './task-types/catalog.ts'
import type { ScriptPorts, WorkerScript } from './worker-script.ts'

export class Equipment {
  private script: WorkerScript | null = null
  /** Null as long as nothing that needs one is allowed. */
  private disposables: Disposables | null = null
  private readonly birth: ChildBirth
  private readonly home: Home

  constructor(birth: ChildBirth, home: Home) {
    this.birth = birth
    this.home = home
  }

  /** @throws TroupeError WORKER_START_FAILED: it would fail the same way again. */
  async load(ports: ScriptPorts): Promise<LoadedTasks> {
    const { workerScript, taskTypes: facts = NO_TASK_TYPES, tasks: url } = this.birth
    // What this worker does not need is not loaded: it would cost every start.
    if (workerScript !== undefined) {
      const { openWorkerScript } = await import('./worker-script.ts')
      this.script = await openWorkerScript(workerScript, this.birth, ports)
    }
    if (facts.disposable !== null) {
      const { Disposables } = await import('../worker/disposable.ts')
      this.disposables = new Disposables()
    }
    const own = await this.home.loadTasks(url)
    const { disposables } = this
    const ground = { facts, disposables, mark: disposableMark(this.birth) }
    return { ...own, tasks: await withTypes(own.tasks, ground) }
  }

  /** The orderly end. Never rejects, and never takes longer than its limit. */
  async putAway(): Promise<void> {
    await this.script?.teardown()
  }

  killAll(): void {
    this.disposables?.killAll()
  }
}
