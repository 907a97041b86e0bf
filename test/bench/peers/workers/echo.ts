/** The other end of raw IPC: every message is sent straight back. */

process.on('message', (message) => process.send?.(message))
process.on('disconnect', () => process.exit(0))
