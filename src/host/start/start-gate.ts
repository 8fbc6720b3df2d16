import type { HostMessage, Message } from '../../paxos/messages.js'
import type { NodeId } from '../../paxos/types.js'
import { HaltError } from '../halt-error.js'

/** The voters of some slot that is still open, as far as this node knows. */
type Voters = readonly NodeId[]

/** The nodes that must answer before the gate opens. */
export interface GateKeepers {
  /** One list, or two while a change of the membership is under way. */
  readonly voters: readonly Voters[]
  /** The answers needed from each list: a majority, this node included; or one, where the list may be outdated and this node knows no cluster yet. */
  readonly needed: 'majority' | 'one'
}

type Recalled = Extract<HostMessage, { kind: 'recalled' }>

interface Settings {
  readonly self: NodeId
  /** As far as is known by now. */
  readonly keepers: () => GateKeepers
  /** Called once, perhaps at once. */
  readonly onOpened: () => void
  /** The number of this directory's last durable write, by now: an answer may come late, when there have been more. */
  readonly lastWrite: () => number
  /** Another one at each start: answers to the node that was there before count for nothing. */
  readonly recallId: number
  /** For messages. */
  readonly dataDirId: string
  readonly send: (to: NodeId, message: Message) => void
}

const ASK_INTERVAL_MS = 200
/** A peer that lags may not have learned yet which directory this node was let in with; by then whoever can has. */
const STRANGE_PATIENCE_MS = 5_000

/**
 * Stays closed from the start of a node until a majority, this node included, has confirmed that its data directory is current. A majority
 * hears of each write within about a second, so an older copy of a directory, or one that has lost its end, is noticed here, before
 * the node votes.
 */
export class StartGate {
  readonly #s: Settings
  readonly #answered = new Set<NodeId>()
  readonly #strangeTo = new Set<NodeId>()
  /** Since then a majority of the others has expected another directory. */
  #strangeSinceMs: number | undefined
  #strangeMessage = ''
  #isOpen = false
  #nextAskMs = 0

  constructor(settings: Settings) {
    this.#s = settings
    this.#maybeOpen()
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  /** @throws HaltError OLDER_COPY */
  onRecalled(from: NodeId, { writeNumber, recallId }: Recalled): void {
    const { dataDirId } = this.#s
    if (recallId !== this.#s.recallId) return
    const lastWrite = this.#s.lastWrite()
    if (writeNumber > lastWrite) {
      throw new HaltError(
        'OLDER_COPY',
        `data directory ${dataDirId} ends with write ${lastWrite}, but node ${from} was told of its write ${writeNumber}: it is an older ` +
          'copy, or has lost its end, and voting from it could undo what was acknowledged. Start this node on the newest copy; if that ' +
          'one is lost, replace this member.',
        { remedies: [{ code: 'REPLACE_MEMBER', nodeId: this.#s.self }] },
      )
    }
    this.#answered.add(from)
    this.#strangeTo.delete(from)
    this.#maybeOpen()
  }

  /** That voter expects another data directory of this node. */
  onRefusedForDirectory(from: NodeId, message: string): void {
    this.#strangeTo.add(from)
    this.#strangeMessage = message
  }

  /** Asks those who have not answered, while it is closed. @throws HaltError DATA_DIR_MISMATCH when most go on expecting another directory */
  tick(nowMs: number): void {
    if (this.#isOpen || nowMs < this.#nextAskMs) return
    // Whose word counts may have changed.
    this.#maybeOpen()
    if (this.#isOpen) return
    this.#nextAskMs = nowMs + ASK_INTERVAL_MS
    this.#checkStrange(nowMs)
    const { recallId, send } = this.#s
    const writeNumber = this.#s.lastWrite()
    for (const nodeId of this.silent) send(nodeId, { kind: 'recall', writeNumber, recallId })
  }

  /** Those of whom nothing was heard. */
  get silent(): readonly NodeId[] {
    const { self, keepers } = this.#s
    return [...new Set(keepers().voters.flat())].filter((nodeId) => nodeId !== self && !this.#answered.has(nodeId))
  }

  #checkStrange(nowMs: number): void {
    if (!this.#isSaidByMost(this.#strangeTo)) {
      this.#strangeSinceMs = undefined
      return
    }
    this.#strangeSinceMs ??= nowMs
    if (nowMs - this.#strangeSinceMs < STRANGE_PATIENCE_MS) return
    throw new HaltError(
      'DATA_DIR_MISMATCH',
      `${this.#strangeMessage}: the directory was swapped, or is a copy from before it was given up as damaged. Put the newest one back; ` +
        'or, if that is lost, replace this member.',
      { remedies: [{ code: 'REPLACE_MEMBER', nodeId: this.#s.self }] },
    )
  }

  #isSaidByMost(said: ReadonlySet<NodeId>): boolean {
    const { keepers, self } = this.#s
    return keepers().voters.every((list) => isMajorityOfOthers(list, self, said))
  }

  #maybeOpen(): void {
    if (this.#isOpen || !this.#hasMajority()) return
    this.#isOpen = true
    this.#s.onOpened()
  }

  #hasMajority(): boolean {
    const { voters: lists, needed } = this.#s.keepers()
    if (needed === 'one') return this.#answered.size > 0 || lists.every((voters) => voters.length === 0)
    return lists.every((voters) => {
      const count = voters.filter((nodeId) => nodeId === this.#s.self || this.#answered.has(nodeId)).length
      return count > voters.length / 2
    })
  }
}

function isMajorityOfOthers(voters: Voters, self: NodeId, said: ReadonlySet<NodeId>): boolean {
  const others = voters.filter((nodeId) => nodeId !== self)
  return others.filter((nodeId) => said.has(nodeId)).length > others.length / 2
}
