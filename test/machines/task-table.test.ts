/**
 * The compiled task table equals the task machine on every edge that can be reached: state, facts
 * and commands.
 */
import { describe, expect, test } from 'vitest'
import { getInitialSnapshot, initialTransition, type SnapshotFrom, transition } from 'xstate'
import { taskMachine } from '../../machines/task.machine.ts'
import { taskCommands, type TaskEvent, type TaskMachineContext } from '../../machines/task.setup.ts'
import type { CancelReason, ExitCause, Verdict } from '../../machines/protocol.ts'
import { type Compiled, step } from '../../src/ledger/task/task-table.ts'

type Snapshot = SnapshotFrom<typeof taskMachine>

const error = { code: 'TASK_FAILED', message: 'it failed' }
const VERDICTS: Verdict[] = ['ok', 'retryable', 'permanent', 'cancelled', 'released']
const REASONS: CancelReason[] = ['requested', 'timedOut', 'expired', 'shutdown']
const CAUSES: ExitCause[] = [
  'crashed',
  'silent',
  'memory',
  'memoryShortage',
  'stopped',
  'recycled',
  'cancelled',
]
const EVENTS: TaskEvent[] = [
  { type: 'task.accepted' },
  { type: 'dependency.met' },
  { type: 'dependency.failed', error },
  { type: 'delay.passed' },
  { type: 'attempt.assigned' },
  { type: 'attempt.started' },
  ...VERDICTS.map((verdict): TaskEvent => ({ type: 'attempt.ended', verdict, error })),
  { type: 'attempt.ended', verdict: 'retryable', error: { code: 'BROWSER_LOST', message: '' } },
  ...CAUSES.flatMap((cause): TaskEvent[] => [
    { type: 'attempt.lost', cause, alone: true, error },
    { type: 'attempt.lost', cause, alone: false, error },
  ]),
  { type: 'backoff.passed' },
  { type: 'timeout.passed' },
  { type: 'grace.passed' },
  { type: 'queueTimeout.passed' },
  { type: 'deadline.passed' },
  ...REASONS.map((reason): TaskEvent => ({ type: 'task.cancel', reason })),
  { type: 'pool.failed', error },
]
const INPUTS: Partial<TaskMachineContext>[] = [
  { attempts: 1 },
  { attempts: 3 },
  { attempts: 2, blockers: 2 },
  { attempts: 2, blockers: 1, delayMs: 5 },
  { attempts: 2, delayMs: 5 },
  { attempts: 2, idempotent: false },
]
/** A walk down one input's states ends well before this. */
const MAX_STATES = 20_000
/** Releases are counted up to a limit of twenty; a few are enough to see both sides. */
const RELEASES_SEEN = 2
const commands: ReadonlySet<string> = new Set(taskCommands)

function keyOf(snapshot: Snapshot): string {
  return JSON.stringify([snapshot.value, snapshot.context])
}

function stepMachine(snapshot: Snapshot, event: TaskEvent) {
  const [next, actions] = transition(taskMachine, snapshot, event)
  return { next, ran: actions.map(({ type }) => type).filter((type) => commands.has(type)) }
}

function stepTable(snapshot: Snapshot, event: TaskEvent) {
  const task: Compiled = { ...snapshot.context, state: snapshot.value }
  const ran: string[] = []
  step(task, event, (_, command) => ran.push(command))
  return { task, ran }
}

function walk(input: Partial<TaskMachineContext>): { edges: number; differences: string[] } {
  const [first] = initialTransition(taskMachine, input)
  const seen = new Set([keyOf(first)])
  const frontier: Snapshot[] = [first]
  const differences: string[] = []
  let edges = 0
  for (let snapshot = frontier.pop(); snapshot !== undefined; snapshot = frontier.pop()) {
    for (const event of EVENTS) {
      edges++
      const machine = stepMachine(snapshot, event)
      const table = stepTable(snapshot, event)
      const wanted = { ...machine.next.context, state: machine.next.value }
      if (
        JSON.stringify(wanted) !== JSON.stringify({ ...table.task }) ||
        machine.ran.join() !== table.ran.join()
      ) {
        differences.push(`${String(snapshot.value)} × ${JSON.stringify(event)}`)
      }
      const key = keyOf(machine.next)
      if (seen.has(key) || machine.next.context.released > RELEASES_SEEN) continue
      seen.add(key)
      frontier.push(machine.next)
      if (seen.size > MAX_STATES) throw new Error('the walk does not end')
    }
  }
  return { edges, differences }
}

describe('the compiled task table', () => {
  test.each(INPUTS)('equals the machine for %o', (input) => {
    const { edges, differences } = walk(input)
    expect(differences).toEqual([])
    expect(edges).toBeGreaterThan(EVENTS.length * 10)
  })

  test('a table that forgets an update is told from the machine', () => {
    const snapshot = getInitialSnapshot(taskMachine, { attempts: 3 })
    const queued = stepMachine(snapshot, { type: 'task.accepted' }).next
    const { task } = stepTable(queued, { type: 'attempt.assigned' })
    task.attempt--
    expect({ ...task }).not.toEqual({
      ...stepMachine(queued, { type: 'attempt.assigned' }).next.context,
      state: 'assigned',
    })
  })
})
