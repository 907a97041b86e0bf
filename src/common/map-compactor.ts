/**
 * When to copy a map or set that things come into and leave all the time. V8 makes it a new table
 * again and again, and each old table points to the next: one old table that the collector has
 * moved to the old space keeps all that follow, and all they held, until a full collection. A copy
 * is pointed to by none. It copies nothing itself.
 */

/** Leavings between two copies: so few tables can be held by one before them. */
export const COPY_AFTER = 4_096
/** A larger one is left as it is: its tables live long anyway, and a copy would be felt. */
export const MAX_COPIED = 32_768

export class MapCompactor {
  #left = 0

  /** To be called once something has left a table of that size: true when it shall be copied. */
  isOver(size: number): boolean {
    this.#left++
    if (this.#left < COPY_AFTER) return false
    this.#left = 0
    return size <= MAX_COPIED
  }
}
