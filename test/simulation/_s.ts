import { tellEvents } from './event-lines.ts'
const s = {"seed":50579,"pool":{"store":"simulated.sqlite"},"hasBrowser":true,"faults":{"failedLogin":1},"healAtMs":2245,"end":"force","isEndedEarly":false, moves: [{"atMs":0,"do":"submit","abortAfterMs":0,"name":"page","ms":3,"options":{"id":"t1"}}]}
const r = await tellEvents(s as any, (l) => console.log(l))
console.log(r.violations)
