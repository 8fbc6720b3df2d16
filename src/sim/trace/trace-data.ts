/**
 * The data of a run for the trace page: JSON, in columns, with every text once. A step is an index into the columns plus 1; 0 is
 * none. Lanes are numbered from 0: the nodes, then the clients.
 */
export interface TraceData {
  readonly title: string
  /** The violation in one sentence, and the step at which it was found; null and 0 if everything held. */
  readonly failure: string | null
  readonly failureStep: number
  /** The command that runs the same world again. */
  readonly replay: string
  /** Names and values of interesting facts about the run, for people. */
  readonly facts: readonly TraceFact[]
  readonly plan: readonly TraceFact[]
  /** The planned faults, one line each. */
  readonly schedule: readonly string[]
  readonly faultTotals: readonly TraceFact[]
  readonly nodeIds: readonly number[]
  readonly clients: readonly string[]
  /** Round and node id of each ballot that occurs, ascending. Ballot numbers in the columns count from 1; 0 is none. */
  readonly ballots: readonly (readonly [round: number, nodeId: number])[]
  /** Names of the kinds; the columns hold their indexes. */
  readonly kinds: readonly string[]
  readonly types: readonly TraceType[]
  readonly fates: readonly string[]
  readonly outcomes: readonly string[]
  readonly phases: readonly string[]
  readonly words: readonly string[]
  readonly columns: TraceColumns
}

export type TraceFact = readonly [name: string, value: string | number]

/** A type to filter by: a kind of message, or a group of events. */
export interface TraceType {
  readonly name: string
  readonly isMessage: boolean
}

/** One number for each event. */
export interface TraceColumns {
  /** µs since the previous event. */
  readonly at: readonly number[]
  /** An index into `kinds`. */
  readonly kind: readonly number[]
  /** An index into `types`. */
  readonly type: readonly number[]
  /** The lane in which it happens, -1 for none. For a message, its sender's. */
  readonly lane: readonly number[]
  /** The lane of a message's receiver, or of the node that a client asks; -1 for none. */
  readonly peer: readonly number[]
  readonly ballot: readonly number[]
  /** The first and last slot that it is about; 0 for none. */
  readonly slot: readonly number[]
  readonly lastSlot: readonly number[]
  /**
   * The earlier step to which it belongs: for an arrival the sending, for a copy its original, for an end its beginning; 0 for
   * none.
   */
  readonly link: readonly number[]
  /** By kind: the index of a fate, an outcome or a phase; 1 if clocks stop; the number of tries; 1 if it is momentary. */
  readonly state: readonly number[]
  /** By kind: the watermark of decided slots from now on. */
  readonly value: readonly number[]
  /** An index into `words`. */
  readonly words: readonly number[]
}
