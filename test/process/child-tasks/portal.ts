/** A login by a session cookie on a real Chromium. The portal's address is the `base` of this file's URL. */
import { defineTasks } from '../../../src/tasks.ts'
import { type TaskContext } from '../../../src/task/context.ts'

const base = new URL(import.meta.url).searchParams.get('base') ?? ''

export default defineTasks(
  {
    /** The cookie the server sees. */
    cookie: async ({ page, payload }: TaskContext<string>) => {
      const response = await page.goto(payload)
      return (JSON.parse((await response?.text()) ?? '{}') as { cookie?: string }).cookie
    },
    expire: ({ session }: TaskContext) => session.expired(),
  },
  {
    session: {
      login: async ({ page, session }) => {
        await page.goto(`${base}/login`)
        await page.evaluate((count) => {
          document.cookie = `login=${count}; path=/`
        }, session.logins + 1)
      },
    },
  },
)
