/**
 * What the workers of a chaos run do: honest work, and tasks that do harm when they are told to.
 */
import { readFileSync } from 'node:fs'
import { defineTasks, task } from '../../src/tasks.ts'
import { type PlainTaskContext, type TaskContext } from '../../src/task/context.ts'
import { SITE_VARIABLE } from './chaos-site.ts'

const site = process.env[SITE_VARIABLE] ?? ''
const plain = { browser: false } as const
/** Elements of 8 bytes: more than the heap of a chaos run may hold. */
const HOARD_LENGTH = 20_000_000

/** Processes that this one has started: here, its browser. */
function ownChildren(): number[] {
  const text = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')
  return text.split(' ').filter(Boolean).map(Number)
}

export default defineTasks(
  {
    /** Reads an order behind the login. The answer is checked against the question. */
    visit: async ({ page, payload, session }: TaskContext<number>) => {
      await page.goto(`${site}/orders/${payload}`, { waitUntil: 'domcontentloaded' })
      const title = await page.title()
      if (title === 'log in') session.expired()
      return title
    },
    double: task(plain, ({ payload }: PlainTaskContext<number>) => payload * 2),
    /** Takes more than the heap has. */
    hoard: task(plain, () => Array<number>(HOARD_LENGTH).fill(0.5).length),
    hangPage: ({ page }: TaskContext<null>) =>
      page.evaluate(() => {
        for (;;) document.title = String(Math.random())
      }),
    never: () => new Promise<never>(() => {}),
    neverPlain: task(plain, () => new Promise<never>(() => {})),
    spin: task(plain, () => {
      for (;;) process.hrtime()
    }),
    alert: ({ page }: TaskContext<null>) => page.evaluate(() => window.alert('nobody answers')),
    /** Its worker is replaced, and the browser that is to be closed then does not answer. */
    hangClose: ({ retire }: TaskContext<null>) => {
      retire('the chaos says so')
      for (const pid of ownChildren()) process.kill(pid, 'SIGSTOP')
      return process.pid
    },
  },
  {
    session: {
      login: async ({ page }) => {
        await page.goto(`${site}/login`, { waitUntil: 'domcontentloaded' })
      },
    },
  },
)
