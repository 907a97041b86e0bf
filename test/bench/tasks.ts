/** What Troupe's workers do in the rows without a browser. */
import { defineTasks, type PlainTaskContext, task } from 'troupe'

export default defineTasks({
  noop: task({ browser: false }, (_: PlainTaskContext<null>) => null),
  /** ns on the machine's monotonic clock, which all processes share: when did the handler start? */
  clock: task({ browser: false }, (_: PlainTaskContext<null>) => Number(process.hrtime.bigint())),
})
