import { HashMixer } from './hash-mixer.js'
import { hashMessage, hashRecord, hashValue } from './message-hash.js'
import type { Fate, TraceEvent, WriteOutcome } from './trace-events.js'

/** These numbers stand for words in the hash: changing one changes every hash. */
const FATES: Readonly<Record<Fate, number>> = { delivered: 1, waits: 2, lost: 3, cut: 4, refused: 5, down: 6 }
const OUTCOMES: Readonly<Record<WriteOutcome, number>> = { synced: 1, buffered: 2, failed: 3, lost: 4, kept: 5 }
const PARTS = { header: 1, page: 2, end: 3 } as const
const PHASES = { joining: 1, following: 2, polling: 3, scouting: 4, leading: 5 } as const

/**
 * The hash of a run's events. Of a value only the size and the time are included: the effects of its commands are in the digest of
 * each applied slot.
 */
export class EventHash {
  readonly #mixer = new HashMixer()

  /** Returns 16 hexadecimal digits. */
  toString(): string {
    return this.#mixer.toString()
  }

  add(atUs: number, event: TraceEvent): void {
    this.#mixer.mix(atUs)
    hashEvent(this.#mixer, event)
  }
}

function hashEvent(into: HashMixer, event: TraceEvent): void {
  switch (event.kind) {
    case 'sent':
      into.mix4(1, event.from, event.to, event.copyOf)
      return hashMessage(into, event.message)
    case 'ended':
      return into.mix4(2, event.sentStep, event.to, FATES[event.fate])
    case 'started':
      return into.mix4(3, event.node, 0, 0)
    case 'recovered':
      into.mix4(23, event.node, event.promised, event.decidedUpTo)
      return into.mix(event.appliedUpTo)
    case 'handOverAsked':
      return into.mix4(24, event.node, 0, 0)
    case 'stopAsked':
      return into.mix4(25, event.node, 0, 0)
    case 'crashed':
      return into.mix4(4, event.node, 0, 0)
    case 'paused':
      return into.mix4(5, event.node, Number(event.clockStops), 0)
    case 'woke':
      return into.mix4(6, event.node, 0, 0)
    case 'stopped':
      return into.mix4(7, event.node, 0, 0)
    case 'halted':
      into.mix4(8, event.node, 0, 0)
      return into.mixText(event.code)
    case 'directoryLost':
      return into.mix4(9, event.node, 0, 0)
    case 'directorySetAside':
      return into.mix4(31, event.node, 0, 0)
    case 'fetchBegun':
      return into.mix4(32, event.node, event.peer, 2 * event.minSlot + Number(event.resumes))
    case 'fetchPart':
      return into.mix4(33, event.node, event.peer, 4 * event.count + PARTS[event.part])
    case 'fetchEnded':
      into.mix4(34, event.node, event.peer, 0)
      return into.mixText(event.outcome)
    case 'phase':
      return into.mix4(10, event.node, PHASES[event.phase], event.ballot)
    case 'promised':
      return into.mix4(11, event.node, event.ballot, 0)
    case 'decided':
      return into.mix4(12, event.node, event.upTo, 0)
    case 'applied':
      into.mix4(13, event.node, event.slot, event.digest)
      return hashValue(into, event.value)
    case 'writeBegun':
      into.mix4(14, event.node, event.records.length, event.checkpointUpTo)
      into.mix4(event.changeCount, Number(event.isSynced), Number(event.isInstall), 0)
      for (const record of event.records) hashRecord(into, record)
      return
    case 'writeEnded':
      return into.mix4(15, event.node, event.begunStep, OUTCOMES[event.outcome])
    case 'asked':
      into.mix4(16, event.node, event.attempt, event.request)
      return into.mixText(event.client)
    case 'tryFailed':
      into.mix4(17, event.request, 0, 0)
      into.mixText(event.client)
      return into.mixText(event.reason)
    case 'gaveUp':
      into.mix4(26, event.request, 0, 0)
      return into.mixText(event.client)
    case 'sessionOpened':
      into.mix4(27, event.node, event.clientId, 0)
      return into.mixText(event.client)
    case 'clientDied':
      into.mix4(28, 0, 0, 0)
      return into.mixText(event.client)
    case 'clientLeft':
      into.mix4(29, 0, 0, 0)
      return into.mixText(event.client)
    case 'clientBack':
      into.mix4(30, 0, 0, 0)
      return into.mixText(event.client)
    case 'answered':
      into.mix4(18, event.node, event.slot, event.request)
      into.mixText(event.client)
      return into.mixBytes(event.result)
    case 'faultBegun':
      into.mix4(19, event.nodes.length, Number(event.isMomentary), 0)
      for (const node of event.nodes) into.mix(node)
      into.mixText(event.fault)
      return into.mixText(event.detail)
    case 'faultEnded':
      return into.mix4(20, event.begunStep, 0, 0)
    case 'note':
      into.mix4(21, 0, 0, 0)
      return into.mixText(event.text)
    case 'verdict':
      into.mix4(22, event.atStep, 0, 0)
      return into.mixText(event.failure ?? '')
  }
}
