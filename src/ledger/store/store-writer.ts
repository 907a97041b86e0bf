/** How the parts of a durable store write: with what an event changes, or at a user's word. */
export interface StoreWriter {
  /** With the next commit of the ledger. */
  later(action: () => void): void
  /** By itself, at once. @throws STORE_FULL, STORE_FAILED */
  now(action: () => void): void
}
