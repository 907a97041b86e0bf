/**
 * The process a child lives in: its pipe to the pool, its signals, its end, and what is loaded into it.
 * Everything `child.ts` takes from its process passes here, so that a simulated process can be one, too.
 * It never says what a word means.
 */
import module from 'node:module'
import { Socket } from 'node:net'
import type { AnyStateMachine } from 'xstate'
import {
  CHANNEL_FD,
  encodeMessage,
  MAX_MESSAGE_BYTES,
  MessageReader,
} from '../process/ipc/channel.ts'
import type { Frame, LaunchSpec, Order, Report } from '../process/ipc/protocol.ts'
import type { BrowserDriver } from './browser/browser-driver.ts'
import { type LoadedTasks, loadTasks } from './task-file.ts'

/** What a process tells the child that lives in it. */
export interface ChildHostListener {
  onFrame(frame: Frame<Order>): void
  /** The pipe is closed: the pool is gone. */
  onPoolGone(): void
  /** Nothing can be awaited any more. */
  onExit(): void
  onDefect(error: unknown): void
  onUnhandled(error: unknown): void
}

export interface ChildHost {
  /** False while the pipe is full; `written` is called once the frame has left. */
  send(frame: Frame<Report>, written: () => void): boolean
  listen(listener: ChildHostListener): void
  loadTasks(url: string): Promise<LoadedTasks>
  driverOf(spec: LaunchSpec): Promise<BrowserDriver>
  rssBytes(): number
  /** All that a start loads is loaded. */
  onOpened(): void
  exit(code: number): void
  /** How machines take their steps: as XState does it, or in a way that is proven equal. */
  stepped<M extends AnyStateMachine>(machine: M): M
  /** Ends this process and all it has started, at once. `running`: attempts that have not ended. */
  die(running: number): void
}

/** The process this code runs in, started by a pool. */
export class ProcessHome implements ChildHost {
  readonly #channel = new Socket({ fd: CHANNEL_FD })

  send(frame: Frame<Report>, written: () => void): boolean {
    return this.#channel.write(encodeMessage(frame, MAX_MESSAGE_BYTES), written)
  }

  listen(listener: ChildHostListener): void {
    const reader = new MessageReader((frame) => listener.onFrame(frame as Frame<Order>))
    this.#channel.on('data', (chunk: Buffer) => reader.push(chunk))
    // 'close' follows.
    this.#channel.on('error', () => undefined)
    this.#channel.on('close', () => listener.onPoolGone())
    process.on('exit', () => listener.onExit())
    // A terminal sends it to everybody; the pool decides what it means.
    process.on('SIGINT', () => undefined)
    process.on('uncaughtException', (error) => listener.onDefect(error))
    process.on('unhandledRejection', (error) => listener.onUnhandled(error))
  }

  loadTasks(url: string): Promise<LoadedTasks> {
    return loadTasks(url)
  }

  driverOf(spec: LaunchSpec): Promise<BrowserDriver> {
    return driverOf(spec)
  }

  rssBytes(): number {
    return process.memoryUsage.rss()
  }

  /** For the next process of this run; a killed process would not write it. */
  onOpened(): void {
    setImmediate(() => module.flushCompileCache())
  }

  exit(code: number): void {
    process.exit(code)
  }

  stepped<M extends AnyStateMachine>(machine: M): M {
    return machine
  }

  die(): void {
    try {
      // A worker leads its own group: what tasks have started goes with it.
      process.kill(-process.pid, 'SIGKILL')
    } catch {
      process.kill(process.pid, 'SIGKILL')
    }
  }
}

export async function driverOf(spec: LaunchSpec): Promise<BrowserDriver> {
  if (spec.driver === undefined)
    return (await import('./browser/puppeteer-driver.ts')).createDriver()
  const loaded: { driver?: BrowserDriver } = await import(spec.driver)
  if (loaded.driver === undefined) throw new Error(`${spec.driver} does not export "driver"`)
  return loaded.driver
}
