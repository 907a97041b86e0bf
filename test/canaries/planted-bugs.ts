/**
 * Planted bugs: each a small change of one text, and the layer of tests that claims to catch it. The
 * texts are looked for as they stand: one that has moved or changed must be planted anew.
 */
import { folderBugs } from './planted-folders.ts'
import { portBugs } from './planted-ports.ts'
import { frameBugs } from './planted-frames.ts'
import { valueBugs } from './planted-values.ts'
import { supervisionBugs } from './planted-supervision.ts'

export interface PlantedBug {
  readonly bug: string
  readonly file: string
  /** Found exactly once in the file. */
  readonly text: string
  readonly instead: string
  readonly layer: 'machines' | 'model' | 'simulation' | 'process' | 'fuzz'
  /** The test file that catches it, and of its tests those that are run: part of their names. */
  readonly test: string
  readonly named: string
}

const ledger = (bug: string, file: string, text: string, instead: string): PlantedBug => ({
  bug,
  file,
  text,
  instead,
  layer: 'simulation',
  test: 'test/simulation/ledger.test.ts',
  named: 'the ledger',
})

const taskBugs: readonly PlantedBug[] = [
  ledger(
    'a task that was alone on a lost worker is forgotten',
    'src/ledger/dispatch/attempts.ts',
    "      this.#step(record, { type: 'attempt.lost', cause, alone, error: lost })",
    "      if (!alone) this.#step(record, { type: 'attempt.lost', cause, alone, error: lost })",
  ),
  ledger(
    'a task settles twice',
    'src/ledger/ledger.ts',
    "    this.#ports.report('ended', record)",
    "    this.#ports.report('ended', record)\n    this.#ports.report('ended', record)",
  ),
  {
    ...ledger(
      'an id is given again before the end of its task was told',
      'src/ledger/store/commit-gate.ts',
      'return this.#untold.has(id)',
      'return this.#untold.has(id) && false',
    ),
    test: 'test/simulation/ids-in-use.test.ts',
    named: 'is in use until',
  },
  ledger(
    'a cancel is ignored',
    'src/ledger/ledger.ts',
    "        return this.#step(event.record, { type: 'task.cancel', reason: event.reason })",
    '        return',
  ),
  ledger(
    'the report of an older attempt counts',
    'src/ledger/dispatch/attempts.ts',
    'if (record === undefined || record.attempt !== report.attempt) continue',
    'if (record === undefined) continue',
  ),
  {
    ...ledger(
      'a released task never comes back',
      'src/ledger/dispatch/attempts.ts',
      '      this.#end(worker, record, released.get(record) as Ended)',
      '      this.#dispatch.release(worker, record)',
    ),
    test: 'test/simulation/task-retries.test.ts',
    named: 'released',
  },
  {
    ...ledger(
      'a timer outlives its task',
      'src/ledger/task-actions.ts',
      '      deadlines.forget(record)\n',
      '',
    ),
  },
  ledger(
    'no grace: who is sent to stop is killed at once',
    'src/ledger/task-actions.ts',
    "deadlines.set(record, 'grace.passed', ports.killAfterMs(record.name) || 1)",
    "deadlines.set(record, 'grace.passed', 1)",
  ),
  {
    ...ledger(
      'a drain is never told that it is over',
      'src/ledger/awaited.ts',
      "      this.#ports.sendPool({ type: 'ledger.emptied' })",
      '      return',
    ),
    test: 'test/simulation/ledger-messages.test.ts',
    named: 'intake.drain',
  },
  {
    ...ledger(
      'of two priorities the lower goes first',
      'src/ledger/queue/queue.ts',
      'return difference < 0 || (difference === 0 && a.bucket.priority < b.bucket.priority) ? a : b',
      'return difference > 0 || (difference === 0 && a.bucket.priority > b.bucket.priority) ? a : b',
    ),
    test: 'test/ledger/queue/queue.test.ts',
    named: 'the queue',
  },
  {
    ...ledger(
      'a poisoned task is never quarantined',
      'machines/task.setup.ts',
      "isPoison: (facts, event) => (event as Of<'attempt.lost'>).alone && facts.kills + 1 >= MAX_KILLS",
      'isPoison: () => false',
    ),
    test: 'test/simulation/task-retries.test.ts',
    named: 'idempotent',
  },
  {
    ...ledger(
      'work that must not be repeated is repeated',
      'machines/task.setup.ts',
      'isUnrepeatable: (facts) => !facts.idempotent',
      'isUnrepeatable: () => false',
    ),
    test: 'test/simulation/task-retries.test.ts',
    named: 'idempotent',
  },
  {
    ...ledger(
      'the wait before another try does not grow',
      'machines/policy.ts',
      "const growth = backoff.type === 'fixed' ? 1 : 2 ** Math.min(failures - 1, 30)",
      'const growth = 1',
    ),
    test: 'test/simulation/task-retries.test.ts',
    named: 'attempts and backoff',
  },
]

const model = (bug: string, composition: string) =>
  ({
    bug,
    layer: 'model',
    test: 'test/model/model.test.ts',
    named: `break no rule: ${composition}`,
  }) as const
const machine = (bug: string, id: string, named: string) =>
  ({ bug, layer: 'machines', test: `test/machines/${id}.test.ts`, named }) as const

const machineBugs: readonly PlantedBug[] = [
  {
    ...model('the incarnation guard is dropped', 'one'),
    file: 'machines/worker.setup.ts',
    text: 'const isOfNewest = ({ context, event }: Args) => stampOf(event) === context.incarnation',
    instead: 'const isOfNewest = ({ context }: Args) => context.incarnation >= 0',
  },
  {
    ...model('crashes are never counted: it restarts for ever', 'breaker'),
    file: 'machines/supervisor.setup.ts',
    text: 'exceedsIntensity: (args: Args) => recentCrashes(args).length > args.context.policy.intensity',
    instead: 'exceedsIntensity: () => false',
  },
  {
    ...model('an open breaker lets processes start', 'breaker'),
    file: 'machines/supervisor-starts.ts',
    text: [
      "        'start.requested': { actions: 'noteWaiting' },",
      "        'start.withdrawn': { actions: 'noteStartEnded' },",
    ].join('\n'),
    instead: [
      "        'start.requested': { actions: ['noteStarting', grantAsker] },",
      "        'start.withdrawn': { actions: 'noteStartEnded' },",
    ].join('\n'),
  },
  {
    ...model('a paused pool goes on dispatching', 'one'),
    file: 'machines/pool.machine.ts',
    text: '      entry: hold,\n',
    instead: '      entry: [],\n',
  },
  {
    ...model('leave to start is not limited', 'leave'),
    file: 'machines/supervisor.setup.ts',
    text: '  mayStart: ({ context }: Args) => context.starting.length < context.policy.maxStarting,',
    instead: '  mayStart: () => true,',
  },
  {
    ...machine('a zombie is ignored', 'supervisor', 'takes every transition'),
    file: 'machines/policy.ts',
    text: 'return reading.workers.filter((worker) => worker.silentMs > zombieAfterMs)',
    instead: 'return reading.workers.slice(zombieAfterMs)',
  },
  {
    ...machine('memory is always enough', 'supervisor', 'takes every transition'),
    file: 'machines/policy.ts',
    text: "return ratio >= policy.pressureRatio - pressureSlack ? 'pressure' : 'normal'",
    instead: "return ratio >= policy.pressureRatio - pressureSlack ? 'normal' : 'normal'",
  },
  {
    ...machine('a shutdown leaves the run folder', 'shutdown', 'issues every command'),
    file: 'machines/shutdown.machine.ts',
    text: "entry: [cancelAll, 'run.sweep'],",
    instead: 'entry: [cancelAll],',
  },
  {
    ...machine('the recorder forgets commands', 'conformance', 'true trace'),
    file: 'src/inspect/actor-watch.ts',
    text: '      if (isCommand(type)) this.note(',
    instead: '      if (!isCommand(type)) this.note(',
  },
]

const process = (bug: string, file: string, named: string) =>
  ({ bug, layer: 'process', test: `test/${file}.test.ts`, named }) as const

const processBugs: readonly PlantedBug[] = [
  {
    ...process('a tab is kept with a key held down', 'process/tab-leftovers', 'Control'),
    file: 'src/child/browser/puppeteer-tab.ts',
    text: 'this.#isStained || this.#input.isHeld',
    instead: 'this.#isStained',
  },
  {
    ...process('the pointer stays where it was', 'process/tab-leftovers', 'moved'),
    file: 'src/child/browser/puppeteer-tab.ts',
    text: 'this.#input.rest(this.page, watchdog),',
    instead: '',
  },
  {
    ...process(
      'what is written into a blank page is blank',
      'process/tab-leftovers',
      'without a navig',
    ),
    file: 'src/child/browser/tab-guard.ts',
    text: 'this.#isUsed ||= !HARMLESS.test(method)',
    instead: '',
  },
  {
    ...process('a page that spins when left is waited for', 'process/tab-leftovers', 'pagehide'),
    file: 'src/child/browser/old-document.ts',
    text: "await watchdog.send('Runtime.terminateExecution').catch(() => undefined)",
    instead: 'await Promise.resolve()',
  },
  {
    ...process('two clicks on one page begin at once', 'process/downloads', 'are each their own'),
    file: 'src/child/downloads/download-queue.ts',
    text: 'const begun = before.then(begin)',
    instead: 'const begun = Promise.resolve(before && undefined).then(begin)',
  },
  {
    ...process("a late file is whoever acts next's", 'process/downloads', 'of an earlier action'),
    file: 'src/child/downloads/download-owners.ts',
    text: 'const asker = requests.askerOf(url, ticket)',
    instead: "const asker = requests.askerOf('', ticket)",
  },
  {
    ...process('a window belongs to whoever acts next', 'process/downloads', 'after a late one'),
    file: 'src/child/downloads/download-owners.ts',
    text: 'if (purpose !== null) return purpose',
    instead: 'if (purpose !== null && this.tickets.has(purpose)) return purpose',
  },
  {
    ...process('the guardian kills only the leader of a group', 'process/guardian', 'told groups'),
    file: 'src/process/guardian.ts',
    text: 'for p in $told; do kill -9 "-$p"; kill -9 "$p"; done\nfor round',
    instead: 'for p in $told; do kill -9 "$p"; done\nfor round',
  },
  {
    ...process('a session logs in twice', 'process/child-session', 'is done once before'),
    file: 'machines/session.machine.ts',
    text: "          { target: 'ready', actions: ['noteReady', 'tabs.warm', report('ready')] },",
    instead:
      "{ target: 'authenticating', reenter: true, actions: ['noteReady', 'tabs.warm', report('ready')] },",
  },
  {
    ...process('the guardian is told of nobody', 'process/guardian', 'told groups'),
    file: 'src/process/guardian.ts',
    text: '      watched.add(pid)\n      if (shell) say(shell, `+ ${pid}`)',
    instead: '      watched.add(pid)',
  },
  {
    ...process(
      'a launch is told to nobody',
      'behaviour/worker-starts',
      'all workers log in at once',
    ),
    file: 'src/child/session/session-host.ts',
    text: '        this.#options.listener.onLaunched()\n',
    instead: '',
  },
  {
    ...process('what dead pools left is never swept', 'process/run-folder', 'kills a dead pool'),
    file: 'src/process/run-folder.ts',
    text: "  if (answer === 'alive') return false\n",
    instead: '  return false\n',
  },
  {
    ...process('a folder is swept by its name alone', 'process/sweep', 'of random neighbours'),
    file: 'src/process/mark.ts',
    text: 'if ((await isPrivate(handle)) && (await bearsMark(base, textOf(kind, name)))) {',
    instead: 'if (await isPrivate(handle)) {',
  },
  {
    ...process(
      'a link is taken for the folder it leads to',
      'process/sweep',
      'of random neighbours',
    ),
    file: 'src/process/mark.ts',
    text: 'open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)',
    instead: 'open(path, O_RDONLY | O_DIRECTORY | (O_NOFOLLOW & 0))',
  },
  {
    ...process(
      'a store hangs on the kernel’s lock alone',
      'process/store-claim',
      'stays its owner',
    ),
    file: 'src/ledger/store/sqlite-file.ts',
    text: "if (claim === 'locked') throw locked(path)",
    instead: "if (claim === 'locked') return { isHeld: () => true, release: () => {} }",
  },
  {
    ...process('a store that is gone is not noticed', 'process/store-claim', 'says so when it is'),
    file: 'src/ledger/store/store-witness.ts',
    text: 'if (opened === undefined || opened === now) continue',
    instead: "if (opened === undefined || opened === now || now === 'absent') continue",
  },
  {
    ...process('a pid alone names an owner', 'process/store-claim', 'whose number is another'),
    file: 'src/ledger/store/store-claim.ts',
    text: 'return there.started === started',
    instead: 'return true',
  },
  {
    ...process(
      'a second signal is ignored',
      'behaviour/faults',
      'by a second signal does not wait',
    ),
    file: 'src/pool/host/lifecycle.ts',
    text: 'const force = this.#received !== null',
    instead: 'const force = false',
  },
  {
    ...process('a profile is never deleted', 'process/profile', 'gives each incarnation'),
    file: 'src/profile/store.ts',
    text: '    try {\n      await this.#leftovers.remove(target)\n',
    instead: '    try {\n',
  },
  {
    ...process(
      'checksums of a sealed profile are not compared',
      'process/profile',
      'tells what was',
    ),
    file: 'src/profile/seal.ts',
    text: '} else if (before.sha256 !== file.sha256) {',
    instead: '} else if (before.bytes !== file.bytes) {',
  },
  {
    ...process(
      'a child obeys orders of another incarnation',
      'process/child-plain',
      'another incarnation',
    ),
    file: 'src/child/child.ts',
    text: 'if (frame.incarnation !== this.#init.incarnation) {',
    instead: 'if (frame.incarnation < 0) {',
  },
]

export const PLANTED_BUGS: readonly PlantedBug[] = [
  ...taskBugs,
  ...machineBugs,
  ...folderBugs,
  ...portBugs,
  ...valueBugs,
  ...frameBugs,
  ...supervisionBugs,
  ...processBugs,
]
