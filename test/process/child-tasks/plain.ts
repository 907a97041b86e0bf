/** Tasks without a browser, for the tests of the child process. */
import { defineTasks, task } from '../../../src/tasks.ts'
import { type PlainTaskContext } from '../../../src/task/context.ts'

const plain = { browser: false } as const

export default defineTasks({
  noop: task(plain, () => undefined),
  echo: task(plain, async ({ payload }: PlainTaskContext) => payload),
  fail: task(plain, () => {
    throw new TypeError('as asked')
  }),
  failForGood: task(plain, () => {
    throw Object.assign(new Error('no use'), { retryable: false })
  }),
  uncloneable: task(plain, () => ({ nested: { list: [1, () => 2] } })),
  untilAborted: task(
    plain,
    ({ signal }: PlainTaskContext) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason))
      }),
  ),
  deaf: task(plain, async ({ payload, progress }: PlainTaskContext<number>) => {
    progress('begun')
    await new Promise((resolve) => setTimeout(resolve, payload))
    return 'late'
  }),
  talk: task(plain, ({ log, progress, retire, attempt, taskId }: PlainTaskContext) => {
    log('hello', { attempt })
    progress({ half: true })
    retire('tired')
    return taskId
  }),
  unloggable: task(plain, ({ log }: PlainTaskContext) => log('odd', { fn: () => 1 })),
  keep: task(plain, async ({ artifact }: PlainTaskContext) => [
    await artifact('../../escape.txt', 'one'),
    await artifact('same.txt', 'two'),
    await artifact('same.txt', 'three'),
  ]),
  throwLater: task(plain, () => {
    setTimeout(() => {
      throw new Error('from a timer')
    }, 0)
    return new Promise(() => undefined)
  }),
  rejectLater: task(plain, () => {
    void Promise.reject(new Error('nobody handles this'))
    return 'fine'
  }),
  expired: task(plain, ({ session }: PlainTaskContext) => session.expired('gone')),
})
