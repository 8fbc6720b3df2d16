import { nodeOf, roundOf } from '../../paxos/ballot.js'
import type { Message } from '../../paxos/messages.js'
import type { Ballot, LogEntry, NodeId, Slot } from '../../paxos/types.js'
import type { TraceColumns, TraceData, TraceType } from './trace-data.js'
import type { Fate, TracedEvent, TraceEvent, TraceStep, WriteOutcome } from './trace-events.js'
import { tellEvent, tellMessage } from './trace-words.js'

const FATES: readonly Fate[] = ['delivered', 'waits', 'lost', 'cut', 'refused', 'down']
const OUTCOMES: readonly WriteOutcome[] = ['synced', 'buffered', 'failed', 'lost', 'kept']
const PHASES = ['joining', 'following', 'polling', 'scouting', 'leading'] as const

/** The part of TraceData that is derived from the events. */
export type EncodedEvents = Pick<
  TraceData,
  'clients' | 'ballots' | 'kinds' | 'types' | 'fates' | 'outcomes' | 'phases' | 'words' | 'columns'
>

/** Encodes the events of a run in columns. */
export function encodeEvents(events: readonly TracedEvent[], nodeIds: readonly NodeId[]): EncodedEvents {
  const clients = [...new Set(events.flatMap(({ event }) => ('client' in event ? [event.client] : [])))].toSorted(inNaturalOrder)
  const laneOfNode = new Map(nodeIds.map((id, i) => [id, i]))
  const laneOfClient = new Map(clients.map((name, i) => [name, nodeIds.length + i]))
  const ballots = [...new Set(events.map(({ event }) => ballotOf(event)))].filter((b) => b !== 0).toSorted((a, b) => a - b)
  const ballotNumbers = new Map(ballots.map((ballot, i) => [ballot, i + 1]))
  const words = new Dictionary<string>()
  const kinds = new Dictionary<string>()
  const types = new Dictionary<string>()
  const requests = new Map<number, TraceStep>()
  const rows = events.map(({ step, atUs, event }, i) => {
    const slots = slotsOf(event)
    const { lane, peer } = placeOf(event, laneOfNode, laneOfClient)
    return {
      at: atUs - (events[i - 1]?.atUs ?? 0),
      kind: kinds.code(event.kind),
      type: types.code(typeOf(event)),
      lane,
      peer,
      ballot: ballotNumbers.get(ballotOf(event)) ?? 0,
      slot: slots.first,
      lastSlot: slots.last,
      link: linkOf(step, event, requests),
      state: stateOf(event),
      value: decidedBy(event),
      words: words.code('message' in event && typeof event.message === 'object' ? tellMessage(event.message) : tellEvent(event)),
    }
  })
  const messageKinds = new Set(events.flatMap(({ event }) => (event.kind === 'sent' ? [event.message.kind as string] : [])))
  return {
    clients,
    ballots: ballots.map((ballot) => [roundOf(ballot), nodeOf(ballot)] as const),
    kinds: kinds.entries,
    types: types.entries.map((name): TraceType => ({ name, isMessage: messageKinds.has(name) })),
    fates: FATES,
    outcomes: OUTCOMES,
    phases: PHASES,
    words: words.entries,
    columns: toColumns(rows),
  }
}

type TraceRow = { readonly [Name in keyof TraceColumns]: number }

function toColumns(rows: readonly TraceRow[]): TraceColumns {
  const column = (name: keyof TraceColumns) => rows.map((row) => row[name])
  return {
    at: column('at'),
    kind: column('kind'),
    type: column('type'),
    lane: column('lane'),
    peer: column('peer'),
    ballot: column('ballot'),
    slot: column('slot'),
    lastSlot: column('lastSlot'),
    link: column('link'),
    state: column('state'),
    value: column('value'),
    words: column('words'),
  }
}

/** Numbers its entries from 0. */
class Dictionary<T> {
  readonly #codes = new Map<T, number>()

  get entries(): T[] {
    return [...this.#codes.keys()]
  }

  code(entry: T): number {
    const known = this.#codes.get(entry)
    if (known !== undefined) return known
    this.#codes.set(entry, this.#codes.size)
    return this.#codes.size - 1
  }
}

/** Sorts client2 before client10. */
function inNaturalOrder(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : 1)
}

function placeOf(
  event: TraceEvent,
  laneOfNode: ReadonlyMap<NodeId, number>,
  laneOfClient: ReadonlyMap<string, number>,
): { lane: number; peer: number } {
  const node = (id: NodeId) => laneOfNode.get(id) ?? -1
  if ('client' in event) return { lane: laneOfClient.get(event.client) ?? -1, peer: 'node' in event ? node(event.node) : -1 }
  if ('from' in event) return { lane: node(event.from), peer: node(event.to) }
  if ('node' in event) return { lane: node(event.node), peer: 'peer' in event ? node(event.peer) : -1 }
  if (event.kind === 'faultBegun' && event.nodes.length === 1) return { lane: node(event.nodes[0] ?? 0), peer: -1 }
  return { lane: -1, peer: -1 }
}

/** Returns the type by which a reader would filter. */
function typeOf(event: TraceEvent): string {
  switch (event.kind) {
    case 'sent':
    case 'ended':
      return event.message.kind
    case 'started':
    case 'recovered':
    case 'crashed':
    case 'paused':
    case 'woke':
    case 'handOverAsked':
    case 'stopAsked':
    case 'stopped':
    case 'halted':
    case 'directoryLost':
    case 'directorySetAside':
      return 'starts and stops'
    case 'fetchBegun':
    case 'fetchPart':
    case 'fetchEnded':
      return 'checkpoints fetched'
    case 'phase':
      return 'phases'
    case 'promised':
      return 'promises raised'
    case 'decided':
      return 'watermarks'
    case 'applied':
      return 'applied slots'
    case 'writeBegun':
    case 'writeEnded':
      return 'disk writes'
    case 'asked':
    case 'tryFailed':
    case 'gaveUp':
    case 'answered':
    case 'sessionOpened':
    case 'clientDied':
    case 'clientLeft':
    case 'clientBack':
      return 'client requests'
    case 'faultBegun':
    case 'faultEnded':
      return 'faults'
    case 'note':
    case 'verdict':
      return 'notes'
  }
}

function ballotOf(event: TraceEvent): Ballot {
  if (event.kind === 'sent' || event.kind === 'ended') {
    const { message } = event
    if ('ballot' in message) return message.ballot
    return message.kind === 'pollReply' ? message.promised : 0
  }
  if (event.kind === 'recovered') return event.promised
  if (event.kind !== 'writeBegun') return 'ballot' in event ? event.ballot : 0
  let highest = 0
  for (const record of event.records) {
    if (record.kind === 'promised') highest = Math.max(highest, record.ballot)
    else if ('entry' in record) highest = Math.max(highest, record.entry.ballot)
  }
  return highest
}

interface SlotRange {
  readonly first: Slot
  readonly last: Slot
}

function slotsOf(event: TraceEvent): SlotRange {
  if (event.kind === 'sent' || event.kind === 'ended') return slotsOfMessage(event.message)
  if ('slot' in event) return { first: event.slot, last: event.slot }
  if (event.kind === 'decided') return { first: event.upTo, last: event.upTo }
  if (event.kind === 'recovered') return { first: event.appliedUpTo, last: event.appliedUpTo }
  if (event.kind !== 'writeBegun') return rangeOf([])
  return rangeOf(event.records.flatMap((record) => ('entry' in record ? [record.entry] : [])))
}

function slotsOfMessage(message: Message): SlotRange {
  if (message.kind === 'promise') return rangeOf(message.accepted)
  if (message.kind === 'catchUpReply') return rangeOf(message.entries)
  if (message.kind === 'catchUp') return { first: message.fromSlot, last: message.toSlot }
  return 'slot' in message ? { first: message.slot, last: message.slot } : rangeOf([])
}

function rangeOf(entries: readonly LogEntry[]): SlotRange {
  let first = Number.POSITIVE_INFINITY
  let last = 0
  for (const { slot } of entries) {
    first = Math.min(first, slot)
    last = Math.max(last, slot)
  }
  return { first: last === 0 ? 0 : first, last }
}

/** Returns the step that an event refers to. `requests`: the step in which each client's request was first sent. */
function linkOf(step: TraceStep, event: TraceEvent, requests: Map<number, TraceStep>): TraceStep {
  if (event.kind === 'sent') return event.copyOf
  if (event.kind === 'ended') return event.sentStep
  if (event.kind === 'verdict') return event.atStep
  if ('begunStep' in event) return event.begunStep
  if (!('request' in event)) return 0
  const first = requests.get(event.request)
  if (first === undefined) requests.set(event.request, step)
  return first ?? 0
}

function stateOf(event: TraceEvent): number {
  if (event.kind === 'ended') return FATES.indexOf(event.fate)
  if (event.kind === 'writeEnded') return OUTCOMES.indexOf(event.outcome)
  if (event.kind === 'phase') return PHASES.indexOf(event.phase)
  if (event.kind === 'paused') return Number(event.clockStops)
  if (event.kind === 'asked') return event.attempt
  return event.kind === 'faultBegun' ? Number(event.isMomentary) : 0
}

function decidedBy(event: TraceEvent): Slot {
  if (event.kind === 'decided') return event.upTo
  return event.kind === 'recovered' ? event.decidedUpTo : 0
}
