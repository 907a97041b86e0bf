/** The tasks of session.ts without its hooks. */
export { plainSession as default } from './session.ts'
