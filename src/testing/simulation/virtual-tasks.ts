/**
 * The handlers of a task file inside a simulated process: they run as they are, the faults of the plan
 * strike them, and what they really did is written down.
 */
import { type LoadedSession, sessionsOf } from '../../child/session/session-file.ts'
import type { LoadedTask, LoadedTasks } from '../../child/task-file.ts'
import type { DefinedTasks, PlainTaskContext, TaskMap } from '../../task/context.ts'
import type { FaultPlan } from './faults.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { VirtualProcess } from './virtual-process.ts'

/** A fault strikes a task so many ms after its start. */
const INJECT_MS = { least: 0, most: 30 } as const

/** What a handler is doing, or has done. */
export interface Action {
  readonly taskId: string
  readonly attempt: number
  readonly process: VirtualProcess
  readonly needsBrowser: boolean
  state: 'running' | 'finished' | 'failed'
}

/** What really happened, whatever the pool believes. */
export class WorldTruth {
  readonly #actions = new Map<string, Action[]>()

  /** Told of each start, with the starts of the same task before it. */
  onBegin: (action: Action, earlier: readonly Action[]) => void = () => {}

  begin(action: Action): void {
    this.onBegin(action, this.of(action.taskId))
    const actions = this.#actions.get(action.taskId)
    if (actions === undefined) this.#actions.set(action.taskId, [action])
    else actions.push(action)
  }

  /** All starts of a task, in their order. */
  of(taskId: string): readonly Action[] {
    return this.#actions.get(taskId) ?? []
  }

  /** The attempt's handler came to its end, in a process that lived. */
  isFinished(taskId: string, attempt: number): boolean {
    return this.of(taskId).some(
      (action) => action.attempt === attempt && action.state === 'finished',
    )
  }

  /** Code of the task may still run: its handler has not ended and its process can still move. */
  running(taskId: string): Action[] {
    return this.of(taskId).filter(
      ({ state, process }) => state === 'running' && process.life === 'living',
    )
  }

  forget(taskId: string): void {
    this.#actions.delete(taskId)
  }
}

interface TaskPorts {
  readonly faults: FaultPlan
  readonly random: SeededRandom
  readonly truth: WorldTruth
}

/** The task file as a child loads it. @throws TypeError when it is none */
export function loadedFor(
  defined: DefinedTasks,
  ports: TaskPorts,
): (process: VirtualProcess) => Promise<LoadedTasks> {
  const refuse = (problem: string): never => {
    throw new TypeError(`tasks: ${problem}`)
  }
  const tasks = tasksOf(defined.tasks, refuse)
  const sessions = sessionsOf(defined as never, 'file:///simulated/tasks.ts', refuse)
  const watchedSessions = new Map(
    [...sessions].map(([name, session]) => [name, withLoginFaults(session, ports.faults)]),
  )
  return (process) =>
    Promise.resolve({
      sessions: watchedSessions,
      tasks: new Map([...tasks].map(([name, task]) => [name, watched(name, task, process, ports)])),
    })
}

function withLoginFaults(session: LoadedSession, faults: FaultPlan): LoadedSession {
  const { definition } = session
  const { login } = definition
  if (login === undefined) return session
  const struck: typeof login = async (context) => {
    if (faults.injects('failedLogin')) throw new Error('the simulation lets the login fail')
    await login(context)
  }
  return { ...session, definition: { ...definition, login: struck } }
}

/** A map of handlers, or what `defineTasks` gives. */
export function definedOf(tasks: TaskMap | DefinedTasks): DefinedTasks {
  const isDefined = (tasks as DefinedTasks).kind === 'troupe.tasks'
  if (isDefined) return tasks as DefinedTasks
  return { kind: 'troupe.tasks', tasks: tasks as TaskMap, session: null, sessions: {} }
}

function tasksOf(tasks: TaskMap, refuse: (problem: string) => never): Map<string, LoadedTask> {
  const loaded = new Map<string, LoadedTask>()
  for (const [name, task] of Object.entries(tasks)) {
    if (typeof task === 'function') loaded.set(name, { browser: true, handler: task })
    else if (typeof task?.handler === 'function') loaded.set(name, task as LoadedTask)
    else refuse(`"${name}" has no handler: give a function, or task(options, handler)`)
  }
  if (loaded.size === 0) refuse('at least one is needed')
  return loaded
}

function watched(
  name: string,
  task: LoadedTask,
  process: VirtualProcess,
  ports: TaskPorts,
): LoadedTask {
  const run = task.handler as (context: PlainTaskContext) => unknown
  const handler = async (context: PlainTaskContext): Promise<unknown> => {
    const { taskId, attempt } = context
    const action: Action = {
      taskId,
      attempt,
      process,
      needsBrowser: task.browser,
      state: 'running',
    }
    ports.truth.begin(action)
    const blow = inject(name, attempt, task.browser, process, ports)
    try {
      if (ports.faults.injects('failedTask', { task: name, attempt })) {
        throw new Error('the simulation lets this attempt fail')
      }
      const value = await run(context)
      // What has been struck ends with its process or its browser, not with a result.
      if (blow !== null) await blow
      if (process.life === 'living') action.state = 'finished'
      return value
    } catch (error) {
      action.state = 'failed'
      throw error
    }
  }
  return { browser: task.browser, handler } as LoadedTask
}

const forEver = () => new Promise<never>(() => undefined)

/** What this attempt's handler waits for instead of giving a result; null when nothing strikes it. */
function inject(
  task: string,
  attempt: number,
  needsBrowser: boolean,
  process: VirtualProcess,
  { faults, random }: TaskPorts,
): Promise<never> | null {
  const occasion = { task, attempt }
  const soon = (action: () => void) =>
    void process.scope.after(random.int(INJECT_MS.least, INJECT_MS.most), action)
  if (faults.injects('crash', occasion)) {
    soon(() => process.end({ code: null, signal: 'SIGKILL' }))
  } else if (faults.injects('exitDuringTask', occasion)) {
    soon(() => process.exit(0))
  } else if (faults.injects('hang', occasion)) {
    soon(() => process.hang())
  } else if (needsBrowser && faults.injects('browserLost', occasion)) {
    const loss = new Promise<never>((_, reject) => {
      soon(() => {
        for (const browser of process.browsers) browser.kill()
        reject(new Error('target closed'))
      })
    })
    // A handler that has failed of itself meanwhile does not wait for it.
    loss.catch(() => undefined)
    return loss
  } else {
    return faults.injects('hungTask', occasion) ? forEver() : null
  }
  return forEver()
}
