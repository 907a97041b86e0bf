/**
 * The pool's state in which nothing can run: no worker could be started, or there was a defect. After
 * a defect nothing the actors know is relied on: all of the run is ended without them.
 */
import {
  abort,
  abortOnce,
  broken,
  eventsOfWorkers,
  stop,
  supervisorEvents,
} from './pool-answers.ts'
import { failTasks, killAll, standDown, stopAll, unsupervise } from './pool-messages.ts'
import { ignore } from './protocol.ts'

export const error = {
  description: 'Nothing can run. What waited has failed; an operator looks at why.',
  initial: 'failed',
  on: {
    ...supervisorEvents,
    ...ignore('worker.ready', 'worker.warmed', 'worker.lost', 'worker.stopped'),
    ...ignore('worker.troubled', 'worker.failed', 'workers.end', 'shutdown.finished'),
    ...ignore('pool.start', 'pool.pause', 'pool.resume', 'pool.drain', 'pool.scale'),
    ...ignore('pool.stop', 'pool.recover', 'run.opened', 'run.failed', 'ledger.emptied'),
    ...ignore('port.failed', 'actor.failed', 'run.aborted'),
  },
  states: {
    failed: {
      description: 'No worker could be started.',
      entry: [failTasks, standDown, stopAll, killAll],
      on: {
        'pool.recover': { target: '#pool.idle', actions: [unsupervise, 'run.close'] },
        ...stop,
        ...broken,
        ...eventsOfWorkers,
        ...ignore('worker.troubled', 'worker.warmed'),
      },
    },
    aborting: {
      description: 'After a defect: every process is killed, every task ended, the store closed.',
      entry: abort,
      after: {
        abortTimeout: [
          { guard: 'mayAbortAgain', target: 'aborting', reenter: true },
          { target: 'aborted' },
        ],
      },
      on: { 'pool.stop': { target: 'leaving' }, 'run.aborted': { target: 'aborted' } },
    },
    leaving: {
      description: 'As before; when all is ended, the pool is at rest.',
      after: {
        abortTimeout: [
          { guard: 'mayAbortAgain', target: 'leaving', reenter: true, actions: abortOnce },
          { target: '#pool.idle' },
        ],
      },
      on: { 'run.aborted': { target: '#pool.idle' } },
    },
    aborted: {
      description: 'Nothing is left of the run in which the defect was.',
      on: { 'pool.stop': { target: '#pool.idle' }, 'pool.recover': { target: '#pool.idle' } },
    },
  },
} as const
