/** A field at fault, by its path in the request's proto, e.g. `transfers[3].amount`. */
export interface FieldViolation {
  readonly field: string
  /** With the bound. */
  readonly description: string
}
