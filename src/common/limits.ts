/** Limits and defaults that options and their users share. */

/** Limits that can be set by name. */
export const MAX_GROUP_LIMITS = 100_000

/** Ended tasks are kept so long, and so much of them, unless told otherwise. */
export const DEFAULT_RETENTION = { age: 7 * 24 * 3_600_000, bytes: 256 * 1024 * 1024 } as const

/** A file that holds so much takes no more tasks. */
export const DEFAULT_STORE_BYTES = 16 * 1024 ** 3

export const MIN_STORE_BYTES = 1024 ** 2

export const DEFAULT_MAX_DEAD_LETTERS = 10_000

export const DEFAULT_CACHE_BYTES = 64 * 1024 * 1024

/** A frame that would carry more than this is refused by name at the border (G7). */
export const MAX_PAYLOAD_BYTES = 64 * 1024 * 1024
