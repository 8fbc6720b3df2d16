import { encode } from '../encoding/encode.js'
import { DELIMITED, RowReader, VARINT } from '../encoding/row-reader.js'
import { Envelope as WireEnvelope } from '../gen/synod/log/v1/log.js'
import type { SessionName } from './session-table.js'
import type { SessionCommand } from './sessions.js'

/** The envelope of a command in the log. */
export type Envelope =
  | { readonly kind: 'open'; readonly token: Uint8Array }
  | { readonly kind: 'close'; readonly session: SessionName }
  | { readonly kind: 'command'; readonly command: SessionCommand }
  | { readonly kind: 'level'; readonly level: number; readonly version: string; readonly token: Uint8Array }

export function encodeOpenSession(token: Uint8Array): Uint8Array {
  return encode(WireEnvelope, { body: { $case: 'open', value: { token } } })
}

export function encodeCloseSession(session: SessionName): Uint8Array {
  return encode(WireEnvelope, { body: { $case: 'close', value: session } })
}

/** `token`: names whoever waits for it. */
export function encodeRaiseLevel(level: number, version: string, token: Uint8Array): Uint8Array {
  return encode(WireEnvelope, { body: { $case: 'level', value: { level, version, token } } })
}

export function encodeSessionCommand(request: SessionCommand): Uint8Array {
  const { clientId, token, requestNumber, firstUnacknowledged, command, quotaBytes = 0 } = request
  const value = { clientId, token, requestNumber, firstUnacknowledged, command, quotaBytes }
  return encode(WireEnvelope, { body: { $case: 'command', value } })
}

const reader = new RowReader()

/** Undefined when the bytes are no envelope. */
export function decodeEnvelope(bytes: Uint8Array): Envelope | undefined {
  try {
    reader.begin(bytes)
    // Every command comes by here on every node; anything else is left to the generated decoder.
    if (reader.tag() === 16 + DELIMITED && reader.enterLast()) {
      const command = readSessionCommand()
      if (reader.isAtEnd) return { kind: 'command', command }
    }
    const { body } = WireEnvelope.decode(bytes)
    switch (body?.$case) {
      case 'open':
        return { kind: 'open', token: body.value.token }
      case 'close':
        return { kind: 'close', session: body.value }
      case 'command':
        return { kind: 'command', command: body.value }
      case 'level':
        return { kind: 'level', ...body.value }
      case undefined:
        return undefined
    }
  } catch {
    // Whatever stands in the log, every node must read it alike: what is no envelope is skipped.
    return undefined
  }
}

const NO_BYTES = new Uint8Array(0)

/** As the generated decoder would, at a quarter of its cost. */
function readSessionCommand(): SessionCommand {
  let clientId = 0
  let requestNumber = 0
  let firstUnacknowledged = 0
  let command: Uint8Array = NO_BYTES
  let token: Uint8Array = NO_BYTES
  let quotaBytes = 0
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 8 + VARINT) clientId = reader.safeNumber()
    else if (tag === 16 + VARINT) requestNumber = reader.safeNumber()
    else if (tag === 24 + VARINT) firstUnacknowledged = reader.safeNumber()
    else if (tag === 32 + DELIMITED) command = reader.view()
    else if (tag === 40 + VARINT) quotaBytes = reader.safeNumber()
    else if (tag === 48 + DELIMITED) token = reader.view()
    else reader.skip(tag)
  }
  return { clientId, requestNumber, firstUnacknowledged, command, quotaBytes, token }
}
