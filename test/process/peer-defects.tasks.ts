/** Browser tasks for the fake browser, and plain ones that tell how they were run. */
import { existsSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { defineTasks, task } from '../../src/tasks.ts'
import { type PlainTaskContext, type TaskContext } from '../../src/task/context.ts'
import type { FakeControls } from '../support/fake-browser.ts'

const plain = { browser: false } as const
const fake = (page: unknown) => Reflect.get(Object(page), 'fake') as FakeControls
let atWork = 0
let peak = 0

export default defineTasks({
  whoami: ({ page, attempt }: TaskContext<null>) => {
    const { browserPid, browserId, tabId } = fake(page)
    return { pid: process.pid, browserPid, browserId, tabId, attempt }
  },
  killBrowser: ({ page }: TaskContext<null>) => {
    fake(page).killBrowser()
    return new Promise<never>(() => {})
  },
  /** How many were at work in this process at once, at most. */
  crowd: async ({ payload }: TaskContext<number>) => {
    peak = Math.max(peak, ++atWork)
    await delay(payload)
    atWork--
    return peak
  },
  retire: ({ page, retire }: TaskContext<null>) => {
    retire('the test says so')
    return fake(page).browserPid
  },
  waitFor: async ({ payload, signal }: TaskContext<string>) => {
    while (!existsSync(payload)) await delay(2, null, { signal })
    return process.pid
  },
  fail: task(plain, ({ payload }: PlainTaskContext<string>) => {
    throw new Error(payload)
  }),
  wait: task(plain, async ({ payload, signal, progress }: PlainTaskContext<number>) => {
    progress('begun')
    await delay(payload, null, { signal })
    return payload
  }),
})
