/** The noop row's task in a poolifier cluster worker. */
import { ClusterWorker } from 'poolifier'
import { noop } from './noop.ts'

new ClusterWorker(noop)
