/** The floor of the dispatch row: a forked child that answers each message with its clock. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { measureDispatch } from './dispatch-flow.ts'

const child = fork(fileURLToPath(new URL('./workers/clock.ts', import.meta.url)))
await measureDispatch({
  run: async () => {
    const answer = once(child, 'message')
    child.send({ id: 1, payload: null })
    const [startedNs] = await answer
    return Number(startedNs)
  },
  close: () => child.disconnect(),
})
