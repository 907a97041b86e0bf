/** Planted bugs of the border to the workers: what is not checked, or is believed of anybody. */
import type { PlantedBug } from './planted-bugs.ts'

const frames = (bug: string, file: string): Omit<PlantedBug, 'text' | 'instead'> => ({
  bug,
  file,
  layer: 'fuzz',
  test: 'test/fuzz/frames.test.ts',
  named: 'lives through',
})

export const frameBugs: readonly PlantedBug[] = [
  {
    ...frames('a log line of any level is believed', 'src/process/ipc/frame.ts'),
    text: "level: isOneOf('error', 'warn', 'info', 'debug'),",
    instead: 'level: isAnything,',
  },
  {
    ...frames('a second load is believed', 'src/process/ipc/conversation.ts'),
    text: "if (this.#hasLoaded) throw new Error('a process said twice that it has loaded')",
    instead: '',
  },
]
