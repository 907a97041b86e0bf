/**
 * Where a worker process begins; the pool forks this file by its path. It loads as little as it can before the task
 * file has said what it needs, and it never outlives its pool.
 */
import module from 'node:module'
import { BIRTH_VARIABLE, type ChildBirth } from '../worker/protocol.ts'

/** sysexits' EX_USAGE: started by hand, without a pool. */
const EXIT_NO_POOL = 64

const text = process.env[BIRTH_VARIABLE]
if (text === undefined || process.send === undefined) {
  process.stderr.write('This file is a worker of Troupe. It is started by a pool, not by hand.\n')
  process.exit(EXIT_NO_POOL)
}
// The pool may have died while this process was being born.
if (!process.connected) process.kill(process.pid, 'SIGKILL')
const birth = JSON.parse(text) as ChildBirth
// What tasks and browsers start is no worker of the pool.
delete process.env[BIRTH_VARIABLE]
process.title = `troupe ${birth.slot}`
module.enableCompileCache(birth.compileCache)

const [{ Child }, { processHome }] = await Promise.all([import('./child.ts'), import('./home.ts')])
new Child(birth, processHome).start()
