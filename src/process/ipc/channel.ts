/**
 * The bytes between the pool and a child: a pipe of Troupe's own, on which every message is its
 * length and what V8's serializer makes of it. A length is judged before anything is kept for it, and
 * bytes that cannot be read are an exception where they are read, never one of the event loop's.
 */
import { DefaultDeserializer, DefaultSerializer } from 'node:v8'
import { TroupeError } from '../../common/errors.ts'
import { MAX_PAYLOAD_BYTES } from '../../common/limits.ts'

/** The child's end of the pipe. Node closes it in whatever the child starts. */
export const CHANNEL_FD = 3
/** One report of the greatest size, and what is said beside it. */
export const MAX_MESSAGE_BYTES = MAX_PAYLOAD_BYTES + 1024 * 1024
/** As long as a length can say. */
const MAX_LENGTH = 0xffff_ffff
const HEADER_BYTES = 4
const HEADER = new Uint8Array(HEADER_BYTES)

/**
 * The message as it goes through the pipe.
 *
 * @throws PAYLOAD_INVALID when it has more than `maxBytes`; whatever V8 throws for what cannot be
 * serialized.
 */
export function encodeMessage(message: unknown, maxBytes = MAX_LENGTH): Buffer {
  const serializer = new DefaultSerializer()
  // Room for the length, so that nothing has to be copied to be put behind it.
  serializer.writeRawBytes(HEADER)
  serializer.writeHeader()
  serializer.writeValue(message)
  const bytes = serializer.releaseBuffer()
  const length = bytes.length - HEADER_BYTES
  if (length > maxBytes) {
    const text = `a message of ${length} bytes does not fit through the channel (${maxBytes})`
    throw new TroupeError('PAYLOAD_INVALID', text)
  }
  bytes.writeUInt32LE(length, 0)
  return bytes
}

const { _readHostObject: readView } = DefaultDeserializer.prototype as unknown as {
  _readHostObject(this: DefaultDeserializer): NodeJS.ArrayBufferView
}

/** Bytes in a message have memory of their own: a view would keep, and show, all that came with it. */
class Decoder extends DefaultDeserializer {
  /** V8's own hook, which Node documents and its types leave out. */
  _readHostObject(): NodeJS.ArrayBufferView {
    const view = readView.call(this)
    const { buffer, byteOffset, byteLength } = view
    const copy = buffer.slice(byteOffset, byteOffset + byteLength)
    if (Buffer.isBuffer(view)) return Buffer.from(copy)
    if (view instanceof DataView) return new DataView(copy)
    const { constructor } = view as unknown as {
      constructor: new (of: unknown) => NodeJS.ArrayBufferView
    }
    return new constructor(copy)
  }
}

function decode(bytes: Buffer): unknown {
  const decoder = new Decoder(bytes)
  decoder.readHeader()
  return decoder.readValue()
}

/** Makes messages of what a pipe gives. */
export class MessageReader {
  readonly #maxBytes: number
  readonly #onMessage: (message: unknown) => void
  #parts: Buffer[] = []
  #bytes = 0
  /** Bytes that must be there before there is something to do. */
  #needed = HEADER_BYTES

  constructor(onMessage: (message: unknown) => void, maxBytes = MAX_LENGTH) {
    this.#onMessage = onMessage
    this.#maxBytes = maxBytes
  }

  /** @throws for what is too long or cannot be read; from then on nothing can be. */
  push(chunk: Buffer): void {
    this.#parts.push(chunk)
    this.#bytes += chunk.length
    if (this.#bytes < this.#needed) return
    const bytes = this.#parts.length === 1 ? chunk : Buffer.concat(this.#parts, this.#bytes)
    const rest = bytes.subarray(this.#take(bytes))
    this.#parts = rest.length === 0 ? [] : [rest]
    this.#bytes = rest.length
  }

  /** Tells all messages that are whole; returns where the first begins that is not. */
  #take(bytes: Buffer): number {
    let at = 0
    for (;;) {
      this.#needed = HEADER_BYTES
      if (bytes.length - at < HEADER_BYTES) return at
      const length = bytes.readUInt32LE(at)
      if (length > this.#maxBytes) {
        throw new Error(`a message of ${length} bytes is announced, ${this.#maxBytes} are allowed`)
      }
      this.#needed = HEADER_BYTES + length
      if (bytes.length - at < this.#needed) return at
      at += this.#needed
      this.#onMessage(decode(bytes.subarray(at - length, at)))
    }
  }
}
