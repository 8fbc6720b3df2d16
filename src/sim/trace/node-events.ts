import type { EventHandlers } from '../../observer/observer.js'
import type { NodeId } from '../../paxos/types.js'
import type { EventTrace } from './event-trace.js'

/** Returns handlers that copy what a node reports of its core and its state machine to the trace. */
export function nodeEvents(node: NodeId, trace: EventTrace) {
  return {
    recovered: (fields) => void trace.tell({ kind: 'recovered', node, ...fields }),
    ballotPromised: ({ ballot }) => void trace.tell({ kind: 'promised', node, ballot }),
    phaseChanged: ({ phase, ballot }) => void trace.tell({ kind: 'phase', node, phase, ballot }),
    slotsDecided: ({ upTo }) => void trace.tell({ kind: 'decided', node, upTo }),
    slotApplied: ({ entry: { slot, value }, stateDigest }) =>
      void trace.tell({ kind: 'applied', node, slot, value, digest: stateDigest }),
  } satisfies EventHandlers
}
