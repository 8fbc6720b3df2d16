import type { Logger } from 'pino'
import type { HostMessage, Message } from '../../paxos/messages.js'
import type { Member, NodeId, Slot } from '../../paxos/types.js'
import type { Storage } from '../../storage/storage.js'
import type { LevelCalls } from '../membership/level-calls.js'
import { StartGate } from '../start/start-gate.js'
import { DigestWatch } from '../watches/digest-watch.js'
import { type PassedSlots, SkipWatch } from '../watches/skip-watch.js'
import type { Watch } from '../watches/watches.js'
import type { PeerFinder } from './peer-finder.js'
import { PeerMarks } from './peer-marks.js'

interface Settings {
  readonly self: NodeId
  readonly storage: Pick<Storage, 'dataDirId' | 'lastWrite' | 'marks' | 'noteMarks'>
  /** Every member of a membership that still matters; none before the cluster is formed. */
  readonly members: () => readonly Member[]
  readonly send: (to: NodeId, message: Message) => void
  readonly passed: () => PassedSlots
  /** Knows who must say at the start that this node's directory is the newest. */
  readonly finder: Pick<PeerFinder, 'gateKeepers' | 'onGateOpened' | 'onRoster' | 'tick'>
  readonly levels: Pick<LevelCalls, 'onRoster' | 'tick'>
  /** Another one at each start. */
  readonly recallId: number
  readonly logger: Logger
}

/** The messages between hosts beside the core's: rosters, marks of data directories, state digests and skipped slots. */
export class PeerTalk {
  readonly #marks: PeerMarks
  readonly #gate: StartGate
  readonly #digests: DigestWatch
  readonly #skips: SkipWatch
  readonly #finder: Settings['finder']
  readonly #levels: Settings['levels']
  /** Tells the others which slots were skipped here, once the gate is open. */
  readonly skipWatch: Watch = {
    tick: () => {
      if (this.#gate.isOpen) this.#skips.tick()
    },
  }

  constructor(settings: Settings) {
    const { storage, finder } = settings
    this.#finder = finder
    this.#levels = settings.levels
    this.#marks = new PeerMarks(settings)
    const lastWrite = (): number => storage.lastWrite
    this.#gate = new StartGate({
      ...settings,
      lastWrite,
      dataDirId: storage.dataDirId,
      keepers: () => finder.gateKeepers,
      onOpened: () => finder.onGateOpened(),
    })
    this.#digests = new DigestWatch(settings)
    this.#skips = new SkipWatch(settings)
  }

  /** False until a majority has confirmed that this node's directory is the newest: the core must hear nothing before. */
  get isOpen(): boolean {
    return this.#gate.isOpen
  }

  /** The gate keepers that have not answered yet. */
  get silentKeepers(): readonly NodeId[] {
    return this.#gate.silent
  }

  /** `dataDirId`: what the sender said of itself. @throws HaltError OLDER_COPY or STATE_DIVERGED */
  onMessage(from: NodeId, message: HostMessage, dataDirId: string): void {
    switch (message.kind) {
      case 'roster':
        // It has just started, or is new here.
        if (message.asks) this.#marks.tellAll(from)
        this.#levels.onRoster(from, message)
        return this.#finder.onRoster(from, message)
      case 'recall':
        return this.#marks.onRecall(from, dataDirId, message)
      case 'recalled':
        return this.#gate.onRecalled(from, message)
      case 'mark':
        for (const mark of message.marks) this.#marks.onMark(mark.dataDirId, mark.writeNumber)
        return
      case 'digest':
        return this.#digests.onReport(from, message.slot, message.stateDigest)
      case 'skippedSlots':
        return this.#skips.onReport(from, message)
    }
  }

  /** See StartGate. */
  onRefusedForDirectory(from: NodeId, message: string): void {
    this.#gate.onRefusedForDirectory(from, message)
  }

  /** This node has applied a checkpoint boundary. @throws HaltError STATE_DIVERGED */
  onBoundary(slot: Slot, stateDigest: number): void {
    this.#digests.onBoundary(slot, stateDigest)
  }

  /** A link to that peer is open: what was sent before may be lost. */
  onConnected(peer: NodeId): void {
    this.#marks.tellAll(peer)
  }

  /** Boundaries that were passed before anybody could be told. */
  noteReplayed(boundaries: readonly (readonly [Slot, number])[]): void {
    for (const [slot, stateDigest] of boundaries) this.#digests.note(slot, stateDigest)
  }

  /** @throws HaltError DATA_DIR_MISMATCH */
  tick(nowMs: number): void {
    this.#finder.tick(nowMs)
    this.#levels.tick(nowMs)
    this.#gate.tick(nowMs)
    if (this.#gate.isOpen) this.#marks.tick(nowMs)
  }
}

export function isHostMessage(message: Message): message is HostMessage {
  const { kind } = message
  return (
    kind === 'roster' ||
    kind === 'mark' ||
    kind === 'digest' ||
    kind === 'skippedSlots' ||
    kind === 'recall' ||
    kind === 'recalled'
  )
}
