/** The other end of the dispatch row's raw IPC: answers with ns on the monotonic clock. */

process.on('message', () => process.send?.(Number(process.hrtime.bigint())))
process.on('disconnect', () => process.exit(0))
