/**
 * What a task's input has come to in its tab: what is held down, and whether the pointer was used. A
 * browser and puppeteer both remember keys, buttons, touch points and compositions beyond the
 * document they were meant for. It only keeps count of commands; it never sends one of its own but
 * to put the pointer where it is in a new tab.
 */
import type { CDPSession, Page } from 'puppeteer-core'

/** No place of the page: what the pointer was over last is no longer. */
const OUTSIDE = { type: 'mouseMoved', x: -1, y: -1, button: 'none', buttons: 0 } as const

interface Params {
  readonly type?: string
  readonly code?: string
  readonly key?: string
  readonly button?: string
  readonly text?: string
  readonly enabled?: boolean
  readonly ignore?: boolean
  readonly touchPoints?: readonly { readonly id?: number }[]
}

export class InputState {
  readonly #held = new Set<string>()
  #isPointerUsed = false

  /** Something is held down or under way: only a new tab is free of it. */
  get isHeld(): boolean {
    return this.#held.size > 0
  }

  /** A command of the domain `Input`. */
  note(method: string, params: Params = {}): void {
    switch (method) {
      case 'Input.dispatchKeyEvent':
        return this.#noteKey(params)
      case 'Input.dispatchMouseEvent':
        return this.#noteMouse(params)
      case 'Input.dispatchTouchEvent':
        return this.#noteTouch(params)
      case 'Input.dispatchDragEvent':
        return this.#hold('drag', params.type === 'dragEnter' || params.type === 'dragOver')
      case 'Input.cancelDragging':
        return this.#hold('drag', false)
      case 'Input.imeSetComposition':
        return this.#hold('composition', params.text !== '')
      case 'Input.insertText':
        return this.#hold('composition', false)
      case 'Input.setInterceptDrags':
        return this.#hold('interception of drags', params.enabled === true)
      case 'Input.setIgnoreInputEvents':
        return this.#hold('input ignored', params.ignore === true)
      default:
        // Gestures, emulated touch: they may last, and they are rare.
        this.#hold(method, true)
    }
  }

  /** Puts the pointer where it is in a new tab. */
  async rest(page: Page, session: CDPSession): Promise<void> {
    if (!this.#isPointerUsed) return
    this.#isPointerUsed = false
    await Promise.all([page.mouse.reset(), session.send('Input.dispatchMouseEvent', OUTSIDE)])
  }

  #noteKey({ type, code, key }: Params): void {
    if (type === 'char') return
    this.#hold(`key ${code || key}`, type !== 'keyUp')
  }

  #noteMouse({ type, button }: Params): void {
    this.#isPointerUsed = true
    if (type === 'mousePressed') this.#hold(`button ${button}`, true)
    if (type === 'mouseReleased') this.#hold(`button ${button}`, false)
  }

  #noteTouch({ type, touchPoints = [] }: Params): void {
    const isStart = type === 'touchStart'
    for (const { id = 0 } of touchPoints)
      if (type !== 'touchMove') this.#hold(`touch ${id}`, isStart)
    if (touchPoints.length > 0 || isStart) return
    // The end of all of them.
    for (const name of this.#held) if (name.startsWith('touch ')) this.#held.delete(name)
  }

  #hold(name: string, isHeld: boolean): void {
    if (isHeld) this.#held.add(name)
    else this.#held.delete(name)
  }
}
