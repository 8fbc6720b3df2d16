import { connect, type Socket } from 'node:net'

/** See RFC 9113, section 6. */
const FRAME_HEADER_BYTES = 9
const DATA = 0
const HEADERS = 1
const RST_STREAM = 3
const SETTINGS = 4
const PING = 6
const GOAWAY = 7
const WINDOW_UPDATE = 8
const END_STREAM = 1
const ACK = 1
const END_HEADERS = 4
const MAX_CONCURRENT_STREAMS = 3
const SETTING_BYTES = 6

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
const FIRST_WINDOW_BYTES = 65_535
/** What the node may send; given again when half of it is used up. */
const RECEIVE_WINDOW_BYTES = 1 << 30
const GRPC_PREFIX_BYTES = 5

/** What failed calls reject with: one for all, as making one would cost more than the call. */
const REFUSED = new Error('the node has refused the call')
const NOT_SENT = new Error('the node takes in no more')

interface Waiting {
  readonly sentMs: number
  hasAnswer: boolean
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/**
 * Unary gRPC calls of one method over one connection, at a few µs each: HTTP/2 frames put together by hand. A real client takes a
 * hundred times that, and could not offer a node on the same machine more than it can do. It understands no more of an answer than
 * whether there is a message in it: a refusal has none.
 */
export class FloodConnection {
  readonly #socket: Socket
  readonly #headers: Buffer
  readonly #onRefused: (afterMs: number) => void
  readonly #waiting = new Map<number, Waiting>()
  #lastStream = -1
  /** How much the node still takes, and how many calls at a time. */
  #sendWindow = FIRST_WINDOW_BYTES
  #waitingMax = 100
  #receivedBytes = 0
  #unread: Buffer = Buffer.alloc(0)
  /** Frames of this turn of the event loop. */
  #batch: Buffer[] = []
  #isClosed = false

  constructor(address: string, path: string, onRefused: (afterMs: number) => void) {
    this.#onRefused = onRefused
    const [host = '', port = ''] = address.split(':')
    this.#headers = headerBlock(address, path)
    this.#socket = connect(Number(port), host)
    this.#socket.setNoDelay(true)
    this.#socket.on('data', (bytes) => this.#onData(bytes))
    this.#socket.on('error', () => this.#onClosed())
    this.#socket.on('close', () => this.#onClosed())
    this.#write(PREFACE)
    this.#write(frame(SETTINGS, 0, 0, Buffer.alloc(0)))
    this.#write(windowUpdate(RECEIVE_WINDOW_BYTES))
  }

  /** Whether a call could be sent now: the node takes in what is sent. */
  get #isReady(): boolean {
    const hasRoom = !this.#socket.writableNeedDrain && this.#sendWindow > 0 && this.#waiting.size < this.#waitingMax
    return hasRoom && !this.#isClosed
  }

  call(message: Uint8Array): Promise<void> {
    if (!this.#isReady) return Promise.reject(NOT_SENT)
    const stream = (this.#lastStream += 2)
    const body = Buffer.alloc(GRPC_PREFIX_BYTES + message.length)
    body.writeUInt32BE(message.length, 1)
    body.set(message, GRPC_PREFIX_BYTES)
    this.#sendWindow -= body.length
    this.#write(frame(HEADERS, END_HEADERS, stream, this.#headers))
    this.#write(frame(DATA, END_STREAM, stream, body))
    return new Promise((resolve, reject) => {
      this.#waiting.set(stream, { sentMs: performance.now(), hasAnswer: false, resolve, reject })
    })
  }

  close(): void {
    this.#onClosed()
    this.#socket.destroy()
  }

  #write(bytes: Buffer): void {
    if (this.#batch.length === 0) {
      setImmediate(() => {
        if (!this.#isClosed) this.#socket.write(Buffer.concat(this.#batch))
        this.#batch = []
      })
    }
    this.#batch.push(bytes)
  }

  #onData(bytes: Buffer): void {
    this.#receivedBytes += bytes.length
    const all = this.#unread.length === 0 ? bytes : Buffer.concat([this.#unread, bytes])
    let at = 0
    while (all.length - at >= FRAME_HEADER_BYTES) {
      const end = at + FRAME_HEADER_BYTES + all.readUIntBE(at, 3)
      if (end > all.length) break
      this.#onFrame(
        all.readUInt8(at + 3),
        all.readUInt8(at + 4),
        all.readUInt32BE(at + 5),
        all.subarray(at + FRAME_HEADER_BYTES, end),
      )
      at = end
    }
    this.#unread = all.subarray(at)
    if (this.#receivedBytes < RECEIVE_WINDOW_BYTES / 2) return
    this.#write(windowUpdate(this.#receivedBytes))
    this.#receivedBytes = 0
  }

  #onFrame(type: number, flags: number, stream: number, payload: Buffer): void {
    switch (type) {
      case DATA: {
        const waiting = this.#waiting.get(stream)
        if (waiting !== undefined) waiting.hasAnswer = true
        return
      }
      case HEADERS:
        if ((flags & END_STREAM) !== 0) this.#settle(stream)
        return
      case RST_STREAM:
        return this.#settle(stream)
      case WINDOW_UPDATE:
        if (stream === 0) this.#sendWindow += payload.readUInt32BE(0)
        return
      case SETTINGS:
        return this.#onSettings(flags, payload)
      case PING:
        if ((flags & ACK) === 0) this.#write(frame(PING, ACK, 0, Buffer.from(payload)))
        return
      case GOAWAY:
        return this.close()
      default:
    }
  }

  #onSettings(flags: number, payload: Buffer): void {
    if ((flags & ACK) !== 0) return
    for (let at = 0; at < payload.length; at += SETTING_BYTES) {
      if (payload.readUInt16BE(at) === MAX_CONCURRENT_STREAMS) this.#waitingMax = payload.readUInt32BE(at + 2)
    }
    this.#write(frame(SETTINGS, ACK, 0, Buffer.alloc(0)))
  }

  #settle(stream: number): void {
    const waiting = this.#waiting.get(stream)
    if (waiting === undefined) return
    this.#waiting.delete(stream)
    if (waiting.hasAnswer) return waiting.resolve()
    this.#onRefused(performance.now() - waiting.sentMs)
    waiting.reject(REFUSED)
  }

  #onClosed(): void {
    this.#isClosed = true
    for (const stream of this.#waiting.keys()) this.#settle(stream)
  }
}

function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length)
  bytes.writeUIntBE(payload.length, 0, 3)
  bytes.writeUInt8(type, 3)
  bytes.writeUInt8(flags, 4)
  bytes.writeUInt32BE(stream, 5)
  bytes.set(payload, FRAME_HEADER_BYTES)
  return bytes
}

function windowUpdate(count: number): Buffer {
  const payload = Buffer.alloc(4)
  payload.writeUInt32BE(count)
  return frame(WINDOW_UPDATE, 0, 0, payload)
}

/** HPACK (RFC 7541) without a dynamic table: by number where the static table has the whole field, else literal and not indexed. */
function headerBlock(authority: string, path: string): Buffer {
  return Buffer.concat([
    Buffer.from([0x83, 0x86]), // :method POST, :scheme http
    Buffer.from([0x04]), // :path
    text(path),
    Buffer.from([0x01]), // :authority
    text(authority),
    Buffer.from([0x00]),
    text('te'),
    text('trailers'),
    Buffer.from([0x0f, 0x10]), // content-type
    text('application/grpc'),
    Buffer.from([0x00]),
    text('grpc-timeout'),
    text('10S'),
  ])
}

function text(value: string): Buffer {
  return Buffer.from([value.length, ...Buffer.from(value)])
}
