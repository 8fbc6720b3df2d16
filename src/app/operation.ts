import type { Outcomes, Requests } from './operations/index.js'
import type { Refusal } from './refusal.js'

/** An operation's name, as the oneofs of the protos have it. */
export type OperationName = keyof Requests

/** An operation under its name: what stands in the log, and what is asked beside it. */
export type Operation = {
  readonly [Name in OperationName]: { readonly $case: Name; readonly value: Requests[Name] }
}[OperationName]

/** The outcome of an operation that was carried out, under the operation's name. */
type Granted = {
  readonly [Name in OperationName]: { readonly $case: Name; readonly value: Outcomes[Name] }
}[OperationName]

/** The outcome of an operation. */
export type Outcome = Granted | Refusal
