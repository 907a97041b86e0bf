/**
 * One line on stderr that says how far the run is: rewritten in place on a terminal, a plain line
 * now and then elsewhere.
 */

const PLAIN_LINE_EVERY = 15

export interface Counts {
  readonly done: number
  readonly failed: number
  readonly total: number
  readonly files: number
}

export interface Progress {
  show(counts: Counts): void
  /** Leaves the line behind. */
  end(): void
}

export function startProgress(stream: NodeJS.WriteStream): Progress {
  const startedAt = performance.now()
  return {
    show: (counts) => {
      const { done, failed, total, files } = counts
      const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
      const line = `${done}/${total} orders, ${failed} failed, ${files} files, ${seconds} s`
      if (stream.isTTY) stream.write(`\r\x1b[2K${line}`)
      else if (done % PLAIN_LINE_EVERY === 0 || done === total) stream.write(`${line}\n`)
    },
    end: () => {
      if (stream.isTTY) stream.write('\n')
    },
  }
}
