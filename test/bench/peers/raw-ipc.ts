/**
 * The bar to pass later: `fork` and one message each way, 64 in flight over 2 children, nothing else: no queue and no
 * supervision. The argument is the serialization, `json` or `advanced`.
 */
import { fork, type SerializationType } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { measureFlow, WORKERS } from './flow.ts'

const serialization: SerializationType = process.argv[2] === 'advanced' ? 'advanced' : 'json'
const echo = fileURLToPath(new URL('./workers/echo.ts', import.meta.url))
const waiting = new Map<number, () => void>()
const children = Array.from({ length: WORKERS }, () => {
  const child = fork(echo, [], { serialization })
  child.on('message', (message) => {
    const { id } = message as { id: number }
    waiting.get(id)?.()
    waiting.delete(id)
  })
  return child
})

let lastId = 0
await measureFlow({
  run: () => {
    const id = lastId++
    children[id % WORKERS]?.send({ id, payload: null })
    return new Promise<void>((resolve) => waiting.set(id, resolve))
  },
  close: () => children.map((child) => child.disconnect()),
})
