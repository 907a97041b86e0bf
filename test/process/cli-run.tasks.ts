/**
 * Tasks for the tests of `troupe run`: none needs a browser, each is steered by files it is told
 * of.
 */
import { appendFileSync, existsSync, watch } from 'node:fs'
import { dirname } from 'node:path'
import { defineTasks, task } from '../../src/tasks.ts'
import { type PlainTaskContext } from '../../src/task/context.ts'

interface Row {
  readonly id: string
  /** Each start appends the id to it. */
  readonly log?: string
  /** The task ends once this file exists. */
  readonly gate?: string
  /** The task fails while this file exists. */
  readonly broken?: string
}

function appeared(path: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const watcher = watch(dirname(path), check)
    signal.addEventListener('abort', () => {
      watcher.close()
      reject(new Error('aborted'))
    })
    function check(): void {
      if (!existsSync(path)) return
      watcher.close()
      resolve()
    }
    check()
  })
}

async function gated({ payload, signal }: PlainTaskContext<Row>): Promise<string> {
  if (payload.log) appendFileSync(payload.log, `${payload.id}\n`)
  if (payload.broken && existsSync(payload.broken)) throw new Error(`${payload.broken} is there`)
  if (payload.gate) await appeared(payload.gate, signal)
  return `done ${payload.id}`
}

export default defineTasks({
  echo: task({ browser: false }, ({ payload }: PlainTaskContext<unknown>) => payload),
  fail: task({ browser: false }, () => {
    throw new Error('as asked\u001b[31m')
  }),
  secondTime: task({ browser: false }, ({ attempt }: PlainTaskContext<unknown>) => {
    if (attempt < 2) throw new Error('not yet')
    return attempt
  }),
  gated: task({ browser: false }, gated),
})
