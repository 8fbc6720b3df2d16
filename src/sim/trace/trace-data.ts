/**
 * A run as the trace page reads it: JSON, in columns, with every text once. A step is an index into the columns plus 1, 0 is none.
 * Lanes are numbered from 0: the nodes, then the clients.
 */
export interface TraceData {
  readonly title: string
  /** The broken promise in one sentence, and at which step it was seen; null and 0 when all held. */
  readonly failure: string | null
  readonly failureStep: number
  /** The command that shows the same run again. */
  readonly replay: string
  /** Name and value of what is worth knowing about the run, for people. */
  readonly facts: readonly TraceFact[]
  readonly plan: readonly TraceFact[]
  /** What was to go wrong, a line each. */
  readonly schedule: readonly string[]
  readonly faultTotals: readonly TraceFact[]
  readonly nodeIds: readonly number[]
  readonly clients: readonly string[]
  /** Round and node id of each ballot that is mentioned, ascending; ballot numbers in the columns count from 1, 0 is none. */
  readonly ballots: readonly (readonly [round: number, nodeId: number])[]
  /** What the codes in the columns stand for. */
  readonly kinds: readonly string[]
  readonly types: readonly TraceType[]
  readonly fates: readonly string[]
  readonly outcomes: readonly string[]
  readonly phases: readonly string[]
  readonly words: readonly string[]
  readonly columns: TraceColumns
}

export type TraceFact = readonly [name: string, value: string | number]

/** What one can filter by: a kind of message, or one of event. */
export interface TraceType {
  readonly name: string
  readonly isMessage: boolean
}

/** A number for each event. */
export interface TraceColumns {
  /** µs since the event before. */
  readonly at: readonly number[]
  /** An index into `kinds`. */
  readonly kind: readonly number[]
  /** An index into `types`. */
  readonly type: readonly number[]
  /** Where it happens, -1 for nowhere in particular. A message's sender. */
  readonly lane: readonly number[]
  /** A message's receiver; whom a client asks; -1 for none. */
  readonly peer: readonly number[]
  readonly ballot: readonly number[]
  /** The slots that it is about, first and last; 0 for none. */
  readonly slot: readonly number[]
  readonly lastSlot: readonly number[]
  /** The earlier step that it belongs to: of an arrival the sending, of a copy its original, of an end its beginning; 0 for none. */
  readonly link: readonly number[]
  /** By kind: a fate, an outcome, a phase, whether clocks stop, how many tries, whether it is momentary. */
  readonly state: readonly number[]
  /** By kind: what the node knows to be decided from now on. */
  readonly value: readonly number[]
  /** An index into `words`. */
  readonly words: readonly number[]
}
