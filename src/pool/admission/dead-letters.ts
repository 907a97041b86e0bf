/**
 * What users do with dead letters: look, send again, delete. Sending again is a submission like any
 * other, and only once it was accepted does the letter go.
 */
import { deserializeError, isTroupeError, TroupeError } from '../../common/errors.ts'
import type { DeadLetters, LetterFilter, StoredLetter } from '../../ledger/results/dead-letters.ts'
import { asRecord, refuse, wholeNumber } from '../../common/checks.ts'
import { copyOf } from '../../values/snapshot.ts'
import type { Request } from './admission.ts'
import type {
  DeadLetter,
  DeadLetterFilter,
  DeadLetterQuery,
  PoolDeadLetters,
  TaskHandle,
} from '../../api/task.ts'

const MAX_PAGE = 1_000
const DEFAULT_PAGE = 100
const QUERY_NAMES = ['name', 'errorCode', 'limit', 'after']

export class DeadLetterApi implements PoolDeadLetters {
  readonly #lifecycle: { readonly deadLetters: DeadLetters }
  readonly #submit: (request: Request) => TaskHandle

  constructor(
    lifecycle: { readonly deadLetters: DeadLetters },
    submit: (request: Request) => TaskHandle,
  ) {
    this.#lifecycle = lifecycle
    this.#submit = submit
  }

  list(query: DeadLetterQuery = {}): ReturnType<PoolDeadLetters['list']> {
    const { limit = DEFAULT_PAGE, after = 0 } = asRecord(query, 'query') as DeadLetterQuery
    wholeNumber('limit', limit, 1, MAX_PAGE)
    wholeNumber('after', after, 0, Number.MAX_SAFE_INTEGER)
    const { letters, next } = this.#letters.list(filterOf(query, QUERY_NAMES), after, limit)
    return { letters: letters.map(shown), next }
  }

  get(id: string): DeadLetter | null {
    const letter = this.#letters.get(id)
    return letter === null ? null : shown(letter)
  }

  redrive(id: string): TaskHandle {
    const letter = this.#letters.get(id)
    if (letter === null) throw new TroupeError('TASK_UNKNOWN', `there is no dead letter ${id}`)
    const { name, payload, options } = letter
    const handle = this.#submit({ name, payload, options: () => ({ ...options, id }) })
    // What failed again at once has written a letter of its own.
    const isBack = handle.id === id && handle.status().state === 'failed'
    if (!isBack) this.#letters.delete(id)
    return handle
  }

  redriveAll(filter: DeadLetterFilter = {}): ReturnType<PoolDeadLetters['redriveAll']> {
    const redriven: TaskHandle[] = []
    const refused: { id: string; error: TroupeError }[] = []
    for (const id of this.#ids(filter)) {
      try {
        redriven.push(this.redrive(id))
      } catch (error) {
        if (!isTroupeError(error)) throw error
        refused.push({ id, error })
      }
    }
    return { redriven, refused }
  }

  delete(id: string): boolean {
    return this.#letters.delete(id)
  }

  deleteAll(filter: DeadLetterFilter = {}): number {
    return this.#ids(filter).filter((id) => this.#letters.delete(id)).length
  }

  get #letters(): DeadLetters {
    return this.#lifecycle.deadLetters
  }

  /** Of all that are there now: what is done with them may change the list. */
  #ids(filter: DeadLetterFilter): string[] {
    const wanted = filterOf(filter, QUERY_NAMES.slice(0, 2))
    const ids: string[] = []
    for (let after: number | null = 0; after !== null; ) {
      const { letters, next } = this.#letters.list(wanted, after, MAX_PAGE)
      ids.push(...letters.map(({ id }) => id))
      after = next
    }
    return ids
  }
}

function filterOf(query: DeadLetterFilter, names: readonly string[]): LetterFilter {
  const given = asRecord(query, 'filter')
  for (const key of Object.keys(given)) {
    if (!names.includes(key)) refuse(key, `is not an option; these are: ${names.join(', ')}`)
  }
  for (const key of ['name', 'errorCode']) {
    const value = given[key]
    if (value !== undefined && typeof value !== 'string') refuse(key, 'must be a string', value)
  }
  return { name: query.name, errorCode: query.errorCode }
}

function shown({ options, error, ...letter }: StoredLetter): DeadLetter {
  const { id, name, payload } = letter
  return {
    ...letter,
    error: deserializeError(error, { id, name, payload }),
    metadata: copyOf(options.metadata),
  }
}
