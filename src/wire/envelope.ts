import { Envelope as WireEnvelope } from '../gen/synod/peer/v1/peer.js'
import type { SessionCommand } from '../machine/sessions.js'

/** What a command of the log is wrapped in. */
export type Envelope =
  | { readonly kind: 'open'; readonly nonce: string }
  | { readonly kind: 'command'; readonly command: SessionCommand }

export function encodeOpenSession(nonce: string): Uint8Array {
  return WireEnvelope.encode({ body: { $case: 'open', value: { nonce } } }).finish()
}

export function encodeSessionCommand(command: SessionCommand): Uint8Array {
  return WireEnvelope.encode({ body: { $case: 'command', value: command } }).finish()
}

/** Undefined when the bytes are no envelope. */
export function decodeEnvelope(bytes: Uint8Array): Envelope | undefined {
  try {
    const { body } = WireEnvelope.decode(bytes)
    switch (body?.$case) {
      case 'open':
        return { kind: 'open', nonce: body.value.nonce }
      case 'command':
        return { kind: 'command', command: body.value }
      case undefined:
        return undefined
    }
  } catch {
    // Whatever stands in the log, every node must read it alike: what is no envelope is skipped.
    return undefined
  }
}
