/** What every tab of a session begins with. */

/** What every tab of a session begins with, and is put back to. */
export interface TabSettings {
  readonly headers: Readonly<Record<string, string>>
  readonly viewport: { readonly width: number; readonly height: number } | null
  /** For a proxy that asks. */
  readonly credentials: { readonly username: string; readonly password: string } | null
}
