/** Tasks that end while their page or their input is not at rest, and tasks that come after them. */
import { defineTasks } from '../../../src/tasks.ts'
import { type TaskContext } from '../../../src/task/context.ts'

type On = TaskContext<string>

/** A headless shell's pointer is at the upper left corner from the beginning. */
const FORM = '<input autofocus style="position:fixed;left:9px;top:9px;width:400px;height:400px">'

export default defineTasks({
  title: async ({ page, payload }: On) => {
    await page.goto(payload)
    return page.title()
  },
  /** Leaves a page that spins when it is left. `payload`: the event. */
  spinsOn: async ({ page, payload }: TaskContext<{ url: string; event: string; in: string }>) => {
    await page.goto(payload.url)
    await page.evaluate(({ event, in: place }) => {
      const spin = () => {
        for (const end = Date.now() + 60_000; Date.now() < end; );
      }
      if (place === 'window') addEventListener(event, spin)
      if (place === 'capture') addEventListener(event, spin, { capture: true })
      if (place === 'document') document.addEventListener(event, spin)
      if (place === 'timer') setInterval(() => addEventListener(event, spin), 1)
      if (place === 'frame') {
        const frame = document.body.appendChild(document.createElement('iframe'))
        frame.contentWindow?.addEventListener(event, spin)
      }
    }, payload)
  },
  /** Leaves a page that asks whether it may be left. A page may ask once it has been touched. */
  asksToStay: async ({ page, payload }: On) => {
    await page.goto(payload)
    await page.evaluate(() => addEventListener('beforeunload', (event) => event.preventDefault()))
    await page.mouse.click(5, 5)
  },
  /** The dialogs that a navigation brings. */
  dialogs: async ({ page, payload }: On) => {
    const seen: string[] = []
    page.on('dialog', (dialog) => {
      seen.push(dialog.type())
      void dialog.accept()
    })
    await page.goto(payload)
    return [await page.title(), seen]
  },
  /** Fails while something is held down. */
  holds: async ({ page, payload }: On) => {
    await page.setContent(FORM)
    if (payload === 'Control' || payload === 'a') await page.keyboard.down(payload)
    if (payload === 'mouse') {
      await page.mouse.move(50, 50)
      await page.mouse.down()
    }
    if (payload === 'touch') await page.touchscreen.touchStart(50, 50)
    if (payload === 'moved') await page.mouse.move(50, 50)
    if (payload === 'composition') {
      // Without a session of the task's own: that alone would cost the tab its life.
      const { client } = page.mainFrame() as unknown as {
        client: { send(method: string, params: object): Promise<unknown> }
      }
      await client.send('Input.imeSetComposition', {
        text: 'ka',
        selectionStart: 2,
        selectionEnd: 2,
      })
    }
    throw new Error('something is held down')
  },
  /** What the next task's own input does. */
  uses: async ({ page }: TaskContext) => {
    await page.setContent(FORM)
    const hovered = await page.evaluate(async () => {
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))
      return document.querySelector('input:hover') !== null
    })
    await page.evaluate(() => {
      const seen: unknown[] = []
      const types = ['keydown', 'mousedown', 'touchstart', 'compositionend'] as const
      for (const type of types) {
        addEventListener(type, (event) => {
          if (event instanceof KeyboardEvent) {
            if (event.repeat) seen.push([type, event.key])
          } else if (event instanceof MouseEvent) {
            // A touch is followed by a mouse's events at its place.
            if (event.clientX !== 20) seen.push([type, event.clientX, event.buttons, event.ctrlKey])
          } else if (event instanceof TouchEvent) seen.push([type, event.touches.length])
          else seen.push([type])
        })
      }
      Object.assign(window, { seen })
    })
    await page.focus('input')
    await page.keyboard.type('a hello')
    await page.mouse.down()
    await page.mouse.up()
    const touch = await page.touchscreen.touchStart(20, 20)
    await touch.end()
    return page.evaluate(
      (hover) => ({
        hover,
        text: document.querySelector('input')?.value,
        seen: Reflect.get(window, 'seen') as unknown[],
      }),
      hovered,
    )
  },
  /** Leaves content without ever navigating. */
  writes: async ({ page }: TaskContext) => {
    await page.setContent('<p>mine</p>')
    await page.evaluate(() => Object.assign(window, { mine: true }))
  },
  reads: async ({ page }: TaskContext) => [
    await page.evaluate(() => typeof Reflect.get(window, 'mine')),
    await page.evaluate(() => document.querySelector('p')?.textContent ?? null),
  ],
})
