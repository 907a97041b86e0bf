/** The second half of `matrix.test.ts`: every fault while a process is replaced, retired or stopped. */
import { describeMoments } from '../support/fault-matrix.ts'
import { LEAVING } from '../support/fault-table.ts'

describeMoments(LEAVING)
