/** Planted bugs of what crosses the border: values that are not copied, read again, or counted wrong. */
import type { PlantedBug } from './planted-bugs.ts'

const values = (
  bug: string,
  file: string,
  named: string,
): Omit<PlantedBug, 'text' | 'instead'> => ({
  bug,
  file,
  named,
  layer: 'process',
  test: 'test/process/values.test.ts',
})

export const valueBugs: readonly PlantedBug[] = [
  {
    ...values(
      'a payload stays the object of its submitter',
      'src/values/snapshot.ts',
      'runs as it was at each submit',
    ),
    text: 'walk.isCopying ? spread(record, walk) : record',
    instead: 'record',
  },
  {
    ...values(
      'a refusal hands back the copy of the pool',
      'src/pool/admission/given-task.ts',
      'hands back',
    ),
    text: 'payload: given }',
    instead: 'payload: structuredClone(given) }',
  },
  {
    ...values(
      'an outcome gives out what a dependent will get',
      'src/ledger/task/outcome.ts',
      "is a dependent's as its parent ended",
    ),
    text: 'const value = copyOf(record.value)',
    instead: 'const { value } = record',
  },
  {
    ...values(
      'a result is looked at once the next task has begun',
      'src/child/attempt/task-runner.ts',
      'is what it was when the handler returned it',
    ),
    text: 'isPending(returned) ? await returned : returned',
    instead: 'await returned',
  },
  {
    ...values(
      'a result is not checked',
      'src/child/attempt/task-runner.ts',
      'that is no plain data fails its task',
    ),
    text: "const result = snapshot(value, 'result')",
    instead: 'const result = { value, bytes: 0 }',
  },
]
