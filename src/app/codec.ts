import type { Operation, OperationName, Outcome } from './operation.js'

/** A command of the log. */
export type Command =
  /** A read that stands in the log; undefined when this version, or this level, has no such read. */
  | { readonly kind: 'query'; readonly operation: Operation | undefined }
  /** `requestId`: under which the answer is kept for callers without a session; empty: under none. */
  | { readonly kind: 'write'; readonly operation: Operation; readonly requestId: string }

/** The bytes of commands, queries and results: the wire forms of api/, which the application does not know. */
export interface CommandCodec {
  /** Undefined when the bytes are no command that this level has. Never throws. */
  decodeCommand(bytes: Uint8Array, level: number): Command | undefined
  /** As decodeCommand, of a query that is asked off the log. */
  decodeQuery(bytes: Uint8Array, level: number): Operation | undefined
  /** The operation of a command, if it can be told by its first byte, as our encoders write them; a look that costs nothing. */
  peek(bytes: Uint8Array): OperationName | 'query' | undefined
  /** A result, with the slot in which it took effect; 0: of a query. The bytes may be a part of a bigger buffer. */
  encodeResult(outcome: Outcome, slot: number): Uint8Array
}
