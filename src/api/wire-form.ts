import type { Step } from '../app/bounds.js'
import type { Operation, OperationName } from '../app/operation.js'
import type { Outcomes, Requests } from '../app/operations/index.js'
import type { TxnOperation, TxnOperationResponse } from '../gen/synod/kv/v1/kv.js'
import type { Command, Query, Result } from '../gen/synod/session/v1/session.js'
import type { KeptBytes } from '../tables/kept-bytes.js'

/** An operation that may stand in a transaction, as clients write it. */
export type WireStep = NonNullable<TxnOperation['operation']>
/** Any operation as clients write it. */
export type WireOperation =
  | Exclude<NonNullable<Command['operation']>, { $case: 'query' }>
  | NonNullable<Query['query']>
  | WireStep
type WireRequest<Name extends OperationName> = Extract<WireOperation, { $case: Name }>['value']

/** The outcome of an operation, as it goes over the wire. */
export type WireOutcome = NonNullable<Result['outcome']>
type WireResponse<Name extends OperationName> = Extract<WireOutcome, { $case: Name }>['value']
export type WireStepResponse = NonNullable<TxnOperationResponse['response']>

/** An operation's requests and results between our types and those of the client protos. */
export interface WireForm<Name extends OperationName> {
  /** The request as the application knows it. Where that cannot say what the wire says, `reading` hears what is wrong with it. */
  fromWire(request: WireRequest<Name>, reading: Reading): Requests[Name]
  /** Without a header: the node that answers adds it. */
  toWire(outcome: Outcomes[Name], writing: Writing): WireResponse<Name>
}

/** Reads a request: hears what is wrong with it, and reads the operations within it. */
export interface Reading {
  /** The level in force. */
  readonly level: number
  /**
   * Returns whether the level has a field that `since` has brought; asked where the field is given. Below that level a door refuses the request
   * with LEVEL_TOO_LOW, and the log's reading takes the field for left out, as a version does that does not know it.
   */
  has(field: string, since: number): boolean
  /** A field of the message that is being read, by its name in the proto. */
  wrong(field: string, description: string): void
  /** Enters an element of a list; leave() leaves it. */
  enter(list: string, index: number): void
  leave(): void
  /** Bytes as they may be kept: a copy, where they would outlive the frame that they are a view of. */
  keep(bytes: Uint8Array): KeptBytes
  /** An operation of a transaction; undefined when there is none. */
  readStep(wire: WireStep | undefined): Operation | undefined
}

/** Writes a result. */
export interface Writing {
  outcome(outcome: Step): WireOutcome
}

/** A response's header; the node that answers puts it in. */
export const header = undefined
