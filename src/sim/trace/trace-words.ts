import { formatBallot } from '../../paxos/ballot.js'
import type { Message } from '../../paxos/messages.js'
import type { LogEntry, Member, MembershipChange, MembershipRecord, Slot, Value } from '../../paxos/types.js'
import { sizeOf } from '../../paxos/value.js'
import type { Fate, TraceEvent, WriteBegun, WriteOutcome } from './trace-events.js'

/** Words for the fate of a message, after `n1 -> n2: accept 3.1 slot 5`. */
const FATES: Readonly<Record<Fate, string>> = {
  delivered: 'arrived',
  waits: 'arrived, and waits until the receiver wakes up',
  lost: 'LOST',
  cut: 'LOST: the link is cut',
  refused: 'REFUSED: the receiver does not listen to the sender',
  down: 'LOST: the receiver is down',
}

const OUTCOMES: Readonly<Record<WriteOutcome, string>> = {
  synced: 'is on disk',
  buffered: 'is written, but not synced',
  failed: 'FAILED',
  lost: 'is LOST in the crash',
  kept: 'is on disk in spite of the crash',
}

/** Describes an event for people, without its time. */
export function tellEvent(event: TraceEvent): string {
  switch (event.kind) {
    case 'sent':
    case 'ended':
      return `n${event.from} -> n${event.to}: ${tellMessage(event.message)} ${tellProgress(event)}`
    case 'started':
      return `n${event.node} starts`
    case 'recovered':
      return (
        `n${event.node} has read its disk: promised ${formatBallot(event.promised)}, decided up to ${event.decidedUpTo}, ` +
        `applied up to ${event.appliedUpTo}`
      )
    case 'handOverAsked':
      return `n${event.node} is asked to hand over`
    case 'stopAsked':
      return `n${event.node} is asked to stop`
    case 'crashed':
      return `n${event.node} crashes`
    case 'paused':
      return `n${event.node} is paused${event.clockStops ? ', and its clock stands still' : ''}`
    case 'woke':
      return `n${event.node} wakes up`
    case 'stopped':
      return `n${event.node} has stopped`
    case 'halted':
      return `n${event.node} halts, ${event.code}: ${event.message}`
    case 'directoryLost':
      return `n${event.node} has lost its data directory`
    case 'directorySetAside':
      return `n${event.node} sets its damaged data directory aside, and begins anew`
    case 'fetchBegun':
      return `n${event.node} fetches a checkpoint of slot ${event.minSlot} or later from n${event.peer}${event.resumes ? ', where it broke off' : ''}`
    case 'fetchPart':
      return `n${event.node} gets ${event.part === 'page' ? count(event.count, 'record') : `the ${event.part}`} of n${event.peer}'s checkpoint`
    case 'fetchEnded':
      return `n${event.node} fetches no more from n${event.peer}: ${event.outcome}`
    case 'phase':
      return `n${event.node} ${tellPhase(event)}`
    case 'promised':
      return `n${event.node} promises ballot ${formatBallot(event.ballot)}`
    case 'decided':
      return `n${event.node} knows slots up to ${event.upTo} to be decided`
    case 'applied':
      return `n${event.node} applies slot ${event.slot}: ${tellValue(event.value)}`
    case 'writeBegun':
      return `n${event.node} writes ${tellWrite(event)}`
    case 'writeEnded':
      return `n${event.node}: what it wrote ${OUTCOMES[event.outcome]}`
    case 'asked':
      return `${event.client} asks n${event.node}${event.attempt > 1 ? ` (try ${event.attempt})` : ''}: ${event.what()} [${event.request}]`
    case 'tryFailed':
      return `${event.client} has no answer to [${event.request}]: ${event.reason}`
    case 'gaveUp':
      return `${event.client} gives up [${event.request}]: it may have happened or not`
    case 'answered':
      return `${event.client} is answered by n${event.node}, slot ${event.slot}: ${event.outcome()} [${event.request}]`
    case 'sessionOpened':
      return `${event.client} has session ${event.clientId}`
    case 'clientDied':
      return `${event.client} dies`
    case 'clientLeft':
      return `${event.client} goes away`
    case 'clientBack':
      return `${event.client} is back`
    case 'faultBegun':
      return `FAULT ${event.fault}: ${event.detail}`
    case 'faultEnded':
      return `over: ${event.fault}`
    case 'note':
      return event.text
    case 'verdict':
      return event.failure === undefined ? 'no violation' : `VIOLATION at step ${event.atStep}: ${event.failure}`
  }
}

/** Describes a request or an outcome by its kind and its fields that are not empty: `deposit account=a1 amount=5`. */
export function tellOperation({ kind, ...fields }: { readonly kind: string }): string {
  return [kind, ...tellFields(fields)].join(' ')
}

function tellFields(fields: object): string[] {
  const entries = Object.entries(fields).filter(([, value]) => value !== null && value !== undefined && value !== '')
  return entries.map(([name, value]) => `${name}=${tellField(value)}`)
}

function tellField(value: unknown): string {
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return `[${value.map(tellField).join(', ')}]`
  return typeof value === 'object' && value !== null ? `{${tellFields(value).join(' ')}}` : String(value)
}

function tellProgress(event: Extract<TraceEvent, { kind: 'sent' | 'ended' }>): string {
  if (event.kind === 'ended') return FATES[event.fate]
  return event.copyOf === 0 ? 'sent' : 'duplicated'
}

function tellPhase({ phase, ballot }: Extract<TraceEvent, { kind: 'phase' }>): string {
  switch (phase) {
    case 'joining':
      return 'joins'
    case 'following':
      return 'follows'
    case 'polling':
      return 'asks around who leads'
    case 'scouting':
      return `scouts in ballot ${formatBallot(ballot)}`
    case 'leading':
      return `leads in ballot ${formatBallot(ballot)}`
  }
}

/** Describes a message, without its sender and receiver. */
export function tellMessage(m: Message): string {
  switch (m.kind) {
    case 'prepare':
      return `prepare ${formatBallot(m.ballot)} from slot ${m.fromSlot}`
    case 'promise':
      return (
        `promise ${formatBallot(m.ballot)} from slot ${m.fromSlot}, ${tellEntries(m.accepted)}, decided up to ${m.decidedUpTo}` +
        (m.nextSlot === 0 ? '' : `, next page from ${m.nextSlot}`) +
        // A node that has voted from the beginning is the normal case, and not mentioned.
        (m.votesFrom === 1 ? '' : `, ${tellVotesFrom(m.votesFrom)}`)
      )
    case 'accept':
      return `accept ${formatBallot(m.ballot)} slot ${m.slot}, ${tellValue(m.value)}, decided up to ${m.decidedUpTo}`
    case 'accepted':
      return `accepted ${formatBallot(m.ballot)} slot ${m.slot}`
    case 'nack':
      return `nack ${formatBallot(m.ballot)}, promised ${formatBallot(m.promised)}`
    case 'heartbeat':
    case 'heartbeatAck':
      return `${m.kind} ${formatBallot(m.ballot)} round ${m.round}, decided up to ${m.decidedUpTo}`
    case 'decided':
      return `decided ${formatBallot(m.ballot)} up to ${m.decidedUpTo}`
    case 'propose':
      return `propose ${count(m.commands.length, 'command')}${m.hops === 0 ? '' : `, hop ${m.hops}`}`
    case 'proposeRefused':
      return `proposeRefused page ${m.pageId}`
    case 'catchUp':
      return `catchUp slots ${m.fromSlot} to ${m.toSlot}`
    case 'catchUpReply':
      return (
        `catchUpReply ${tellEntries(m.entries)}, decided up to ${m.decidedUpTo}` +
        (m.compactedUpTo === 0 ? '' : `, compacted up to ${m.compactedUpTo}`)
      )
    case 'readIndex':
      return `readIndex ${m.readId}`
    case 'readIndexReply':
      return `readIndexReply ${m.readId}: slot ${m.slot}`
    case 'poll':
      return `poll ${m.pollId}`
    case 'pollReply':
      return (
        `pollReply ${m.pollId}: ${m.granted ? 'granted' : `refused, n${m.leaderId} leads`}, ` +
        `promised ${formatBallot(m.promised)}, decided up to ${m.decidedUpTo}`
      )
    case 'takeOver':
      return `takeOver ${formatBallot(m.ballot)}`
    case 'join':
      return `join from ${m.dataDirId}${m.replacesDataDirId === '' ? '' : `, in place of ${m.replacesDataDirId}`}`
    case 'welcome':
      return `welcome to ${m.genesis.clusterId}${m.memberships.map((membership) => `, ${tellMembership(membership)}`).join('')}`
    case 'changeMembership':
      return `changeMembership ${m.requestId}: ${tellChange(m.change)}`
    case 'changeMembershipRefused':
      return `changeMembershipRefused ${m.requestId}: ${m.reason}, ${m.message}`
    case 'handOver':
      return `handOver to ${m.toNodeId === 0 ? 'anybody' : `n${m.toNodeId}`}`
    case 'roster':
      return `roster${m.memberships.map((membership) => `, ${tellMembership(membership)}`).join('')}, ${count(m.announcements.length, 'address', 'addresses')}`
    case 'recall':
      return `recall write ${m.writeNumber}`
    case 'recalled':
      return `recalled write ${m.writeNumber}`
    case 'mark':
      return `mark ${m.marks.map(({ dataDirId, writeNumber }) => `write ${writeNumber} of ${dataDirId}`).join(', ')}`
    case 'digest':
      return `digest of slot ${m.slot}: ${m.stateDigest.toString(16)}`
    case 'skippedSlots':
      return `skipped of slots up to ${m.appliedUpTo}: ${m.slots.join(', ')}`
  }
}

function tellValue(value: Value): string {
  if (value.kind === 'noop') return 'no-op'
  if (value.kind === 'membership') return `membership ${value.epoch}, ${tellChange(value.change)}`
  return `${count(value.commands.length, 'command')} (${sizeOf(value)} B)`
}

/** Describes a change: `remove n3`. */
export function tellChange(change: MembershipChange): string {
  const what = `${change.kind} n${change.nodeId}`
  if (change.kind === 'update') return `${what} to ${change.peerAddress}`
  if (change.kind === 'bind') return `${what} to ${change.dataDirId}`
  return change.kind === 'reset' ? `${what} from ${change.dataDirId} to ${change.newDataDirId}` : what
}

/** Describes a membership: `membership 3 from slot 70: n1, n2, n4 learns`. */
function tellMembership({ epoch, fromSlot, members }: MembershipRecord): string {
  return `membership ${epoch} from slot ${fromSlot}: ${members.map(tellMember).join(', ')}`
}

function tellMember({ nodeId, votesFrom }: Member): string {
  return `n${nodeId}${votesFrom === 0 ? ' learns' : ''}`
}

function tellVotesFrom(votesFrom: Slot): string {
  return votesFrom === 0 ? 'does not vote' : `votes from slot ${votesFrom}`
}

/** Describes the slots of entries: `slots 3 to 7`. */
function tellEntries(entries: readonly LogEntry[]): string {
  const [first] = entries
  const last = entries.at(-1)
  if (first === undefined || last === undefined) return 'no slots'
  return first === last ? `slot ${first.slot}` : `slots ${first.slot} to ${last.slot}`
}

function tellWrite({ records, checkpointUpTo, isInstall, changeCount, isSynced }: WriteBegun): string {
  const parts: string[] = []
  for (const kind of ['accepted', 'learned'] as const) {
    const entries = records.flatMap((record) => (record.kind === kind ? [record.entry] : []))
    if (entries.length > 0) parts.push(`${kind} ${tellEntries(entries)}`)
  }
  for (const record of records) {
    if (record.kind === 'promised') parts.push(`promised ${formatBallot(record.ballot)}`)
    else if (record.kind === 'decidedUpTo') parts.push(`decided up to ${record.slot}`)
    else if (record.kind === 'genesis') parts.push('the genesis')
  }
  if (checkpointUpTo > 0) parts.push(`the checkpoint of slot ${checkpointUpTo}${isInstall ? ' that came from a peer' : ''}`)
  if (parts.length === 0) parts.push(count(changeCount, 'entry', 'entries'))
  return `${parts.join(', ')}${isSynced ? '' : ', without a sync'}`
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`
}
