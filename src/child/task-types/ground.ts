/** What the task types of a child stand on. */
import type { ChildTaskTypes } from '../../process/ipc/child-types.ts'
import type { Disposables } from '../../sandbox/disposable.ts'

/** What the types of a worker share. */
export interface TypeGround {
  readonly facts: ChildTaskTypes
  /** Null when nothing is allowed that needs them. */
  readonly disposables: Disposables | null
  /** What its disposable processes are known by. */
  readonly mark: string
}
