/** The tasks of simulated lives: good ones, bad ones, and such as do not listen. */
import { defineTasks, task, TroupeError } from '../../src/tasks.ts'
import {
  type DefinedTasks,
  type PlainTaskContext,
  type TaskContext,
} from '../../src/task/context.ts'

type Context = PlainTaskContext<{ ms: number }>

const plain = { browser: false } as const
const DEAF_MS = 1_500

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms)
    signal?.addEventListener('abort', () => {
      clearTimeout(timer)
      reject(signal.reason)
    })
  })
}

const plainTasks = {
  quick: task(plain, async ({ payload, signal }: Context) => sleep(payload.ms, signal)),
  slow: task(plain, async ({ payload, signal }: Context) => sleep(payload.ms * 10, signal)),
  deaf: task(plain, async ({ payload }: Context) => sleep(DEAF_MS + payload.ms)),
  flaky: task(plain, async ({ payload, attempt, progress }: Context) => {
    progress({ attempt })
    await sleep(payload.ms)
    if (attempt === 1) throw new Error('the first attempt fails')
  }),
  permanent: task(plain, async ({ payload }: Context) => {
    await sleep(payload.ms)
    throw new TroupeError('TASK_FAILED', 'never', { retryable: false })
  }),
  retiring: task(plain, async ({ payload, retire, log }: Context) => {
    retire('the task wants another worker')
    log('retiring')
    await sleep(payload.ms)
  }),
}

const browserTasks = {
  expired: task({}, async ({ attempt, session }: TaskContext<{ ms: number }>) => {
    if (attempt < 3) session.expired()
  }),
  page: task({}, async ({ payload, page, signal }: TaskContext<{ ms: number }>) => {
    await page.goto('about:blank')
    await sleep(payload.ms, signal)
  }),
}

const plainOnly = defineTasks(plainTasks)
/** Two sessions, one of them with a login that now and then has to be renewed. */
const both = defineTasks(
  { ...plainTasks, ...browserTasks },
  {
    session: { login: () => sleep(20), check: async () => true, checkEvery: 500 },
    sessions: { other: { isolation: 'context' } },
  },
)

export function handlers(hasBrowser: boolean): DefinedTasks {
  return hasBrowser ? both : plainOnly
}
