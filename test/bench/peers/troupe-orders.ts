/**
 * Troupe in the speedup row: the demo's 60 orders at the portal it is given, by as many workers as
 * it is told (`1`, `4`) or one after the other without a troupe (`sequential`). Prints the ms to the
 * last outcome, from the start of the pool and from the moment when all are logged in.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPoolActor } from 'troupe'
import { type Order, readOrders } from '../../../docs/examples/purchase-orders/orders.ts'
import { CREDENTIALS } from '../../../docs/examples/purchase-orders/portal.ts'

const EXAMPLE = new URL('../../../docs/examples/purchase-orders/', import.meta.url)
/** All but the order that the portal does not know. */
const EXPECTED = 59

const [portalUrl = '', executablePath = '', mode = ''] = process.argv.slice(2)
Object.assign(process.env, {
  PORTAL_URL: portalUrl,
  PORTAL_USER: CREDENTIALS.user,
  PORTAL_PASSWORD: CREDENTIALS.password,
})
const orders: readonly Order[] = await readOrders(new URL('orders.csv', EXAMPLE))
const folder = await mkdtemp(join(tmpdir(), 'troupe-bench-'))
const startedAt = performance.now()
const pool = createPoolActor({
  tasks: new URL('tasks.ts', EXAMPLE),
  ...(mode === 'sequential' ? { parallel: false } : { workers: Number(mode) }),
  artifacts: folder,
  browser: { executablePath },
  task: { attempts: 3, timeout: 30_000, backoff: { delay: 250 } },
  logger: 'silent',
})
const ready = new Promise<void>((resolve) => {
  let missing = mode === 'sequential' ? 1 : Number(mode)
  pool.on('worker.ready', () => {
    missing -= 1
    if (missing === 0) resolve()
  })
})
pool.start()
await ready
const readyAt = performance.now()
let succeeded = 0
for await (const { status } of pool.map('download', orders)) {
  if (status === 'succeeded') succeeded += 1
}
const endedAt = performance.now()
await pool.shutdown()
await rm(folder, { recursive: true })
if (succeeded !== EXPECTED) throw new Error(`${succeeded} of ${EXPECTED} orders succeeded`)
console.log(JSON.stringify({ wallMs: endedAt - readyAt, withStartMs: endedAt - startedAt }))
