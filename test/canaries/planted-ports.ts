/** Bugs in what becomes of a port that throws. As in `planted-bugs.ts`. */
import type { PlantedBug } from './planted-bugs.ts'

const ports = (bug: string, file: string, named: string) =>
  ({ bug, layer: 'simulation', test: 'test/simulation/port-throws.test.ts', file, named }) as const

export const portBugs: readonly PlantedBug[] = [
  {
    ...ports('a deed that throws ends its actor', 'src/common/provide-actions.ts', 'once'),
    text: '    } catch (error) {\n      fail(error)\n',
    instead: '    } catch (error) {\n      throw error\n',
  },
  {
    ...ports('a fork that throws is waited for', 'src/pool/workers.ts', 'process.fork'),
    text: '    this.#sendExited(id, { code: null, signal: null }, null)\n',
    instead: '',
  },
  {
    ...ports(
      'processes that nobody owns outlive the pool',
      'src/pool/workers.ts',
      'ends of an error',
    ),
    text: '      this.killAll()\n      const {',
    instead: '      const {',
  },
  {
    ...ports('what a defect tears off never ends', 'src/ledger/abandonment.ts', 'tears off'),
    test: 'test/simulation/ledger-messages.test.ts',
    text: 'new Set([...left(), ...torn.keys()])',
    instead: 'new Set(left())',
  },
  {
    bug: 'a word that is lost in a shutdown is nobody’s',
    layer: 'model',
    test: 'test/model/model.test.ts',
    named: 'break no rule: ports$',
    file: 'machines/pool-answers.ts',
    text: "  'actor.failed': leave,\n",
    instead: "  'actor.failed': {},\n",
  },
  {
    bug: 'a session goes on whose port has thrown',
    layer: 'process',
    test: 'test/process/child-session.test.ts',
    named: 'a port of the session',
    file: 'src/child/session/session-host.ts',
    text: '{\n      failed: (_, failure) => failed(failure),\n    }',
    instead: '{ failed: (_, failure) => void (failure ?? failed) }',
  },
]
