/** Troupe in the pages row: 2 workers, one Chromium and one warm tab each. */
import { createPoolActor } from 'troupe'
import { executablePath, measurePages, PAGES_IN_FLIGHT, pageUrl, WORKERS } from './pages-flow.ts'

const pool = createPoolActor({
  tasks: new URL('../page-tasks.ts', import.meta.url),
  workers: WORKERS,
  browser: { executablePath },
}).start()
const run = async (): Promise<string> => String(await pool.run('title', pageUrl))
await measurePages({
  lanes: Array.from({ length: PAGES_IN_FLIGHT }, () => run),
  close: () => pool.shutdown(),
})
