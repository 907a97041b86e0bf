/** The noop row's task in a poolifier worker thread. */
import { ThreadWorker } from 'poolifier'
import { noop } from './noop.ts'

new ThreadWorker(noop)
