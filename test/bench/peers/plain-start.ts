/** Beside the start row: `fork` of a worker written by hand, until its tab is open. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { executablePath, measureStart } from './start-flow.ts'

const worker = fileURLToPath(new URL('./workers/plain-browser.ts', import.meta.url))

await measureStart(async () => {
  const forkedMs = performance.now()
  const child = fork(worker, [executablePath])
  await once(child, 'message')
  const readyMs = performance.now() - forkedMs
  child.send('close')
  await once(child, 'exit')
  return readyMs
})
