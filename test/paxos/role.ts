import type { Message } from '../../src/paxos/messages.js'
import { type CoreOptions, DEFAULT_OPTIONS } from '../../src/paxos/options.js'
import type { Outbox } from '../../src/paxos/outbox.js'
import type { Ballot, LogEntry, NodeId, RecoveredState, Slot, Value } from '../../src/paxos/types.js'
import { batch, describeMessage, describeRecord } from './describe.js'

// For tests of one role by itself: what it finds at start, and what it wrote to its outbox.

export function options(change: Partial<CoreOptions> = {}): CoreOptions {
  return { ...DEFAULT_OPTIONS, ...change }
}

export function recovered(change: Partial<RecoveredState> = {}): RecoveredState {
  return { genesis: undefined, promised: 0, decidedUpTo: 0, accepted: [], ...change }
}

export function entry(slot: Slot, ballot: Ballot, value: Value = batch(`v${slot}`)): LogEntry {
  return { slot, ballot, value }
}

function lines(messages: readonly { to: NodeId; message: Message }[]): string[] {
  return messages.map(({ to, message }) => `n${to} ${describeMessage(message)}`)
}

/** Everything since the last look: what may leave at once, what is written, what waits for the disk. */
export function outcome(out: Outbox): { now: string[]; records: string[]; onceDurable: string[] } {
  const ready = out.take(true)
  return { now: lines(ready.messages), records: ready.records.map(describeRecord), onceDurable: lines(ready.onceDurable) }
}
