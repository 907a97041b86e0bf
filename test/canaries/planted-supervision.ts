/** Bugs in what watches over the workers. As in `planted-bugs.ts`. */
import type { PlantedBug } from './planted-bugs.ts'

export const supervisionBugs: readonly PlantedBug[] = [
  {
    bug: 'a part that cannot be read takes the whole reading with it',
    layer: 'process',
    test: 'test/process/monitor.test.ts',
    named: 'uses what can be read',
    file: 'src/monitor/readers.ts',
    text: '      this.note(reader, error)\n      return otherwise\n',
    instead: '      throw error\n',
  },
  {
    bug: 'nobody notices that no reading comes',
    layer: 'simulation',
    test: 'test/simulation/reading-fails.test.ts',
    named: 'says when none comes',
    file: 'machines/supervisor-readings.ts',
    text: "      after: { readingTimeout: { target: 'missing', actions: readingsChanged(true) } },\n",
    instead: '',
  },
  {
    bug: 'a slot is charged with what its task has done',
    layer: 'simulation',
    test: 'test/simulation/own-death.test.ts',
    named: 'costs the slot nothing',
    file: 'machines/worker-answers.ts',
    text: '  [broughtDown(prior), ...failed(prior)] as const',
    instead: '  [...failed(prior)] as const',
  },
  {
    bug: 'a task that always takes too much memory pays nothing',
    layer: 'machines',
    test: 'test/machines/policy.test.ts',
    named: 'charged',
    file: 'machines/policy.ts',
    text: "(cause === 'memory' && !alone)",
    instead: "cause === 'memory'",
  },
]
