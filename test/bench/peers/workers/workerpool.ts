/** The noop row's task in a workerpool process. */
import workerpool from 'workerpool'
import { noop } from './noop.ts'

workerpool.worker({ noop })
