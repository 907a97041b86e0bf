/** What Troupe's workers do in the rows with a browser. */
import { defineTasks, type TaskContext } from 'troupe'

export default defineTasks({
  title: async ({ page, payload: url }: TaskContext<string>) => {
    await page.goto(url)
    return page.title()
  },
  /** Opens the page and keeps it open until cancelled. `progress` says that it is open. */
  hold: async ({ page, payload: url, signal, progress }: TaskContext<string>) => {
    await page.goto(url)
    const cancelled = new Promise((resolve) => signal.addEventListener('abort', resolve))
    progress('open')
    await cancelled
  },
})
