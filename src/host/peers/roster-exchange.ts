import type { Message, Roster } from '../../paxos/messages.js'
import type { NodeId } from '../../paxos/types.js'

interface Settings {
  /** The peers that this node may send to. */
  readonly peers: () => readonly NodeId[]
  /** The roster of this node. */
  readonly roster: () => Omit<Roster, 'kind' | 'asks'>
  readonly send: (to: NodeId, message: Message) => void
}

const INTERVAL_MS_MIN = 500
const INTERVAL_MS_MAX = 8_000

/** A peer's last roster, and when it is sent ours again. */
interface Heard {
  roster: Roster | undefined
  nextMs: number
  intervalMs: number
}

/**
 * Tells each peer who the members are and where, until what it tells of itself shows that it knows: then nothing is sent. Messages may be
 * lost, so it goes on, less and less often.
 */
export class RosterExchange {
  readonly #s: Settings
  readonly #heard = new Map<NodeId, Heard>()

  constructor(settings: Settings) {
    this.#s = settings
  }

  /** After what it says was taken in. */
  onRoster(from: NodeId, roster: Roster): void {
    const heard = this.#of(from)
    heard.roster = roster
    if (roster.asks) this.#send(from, heard)
    else heard.intervalMs = INTERVAL_MS_MIN
  }

  /** A link to that peer is open: to a process, perhaps, that has forgotten what the last one had not written yet. */
  onConnected(peer: NodeId): void {
    const heard = this.#of(peer)
    heard.roster = undefined
    heard.intervalMs = INTERVAL_MS_MIN
    this.#send(peer, heard)
  }

  /** This node knows more than before. */
  onNews(): void {
    for (const heard of this.#heard.values()) {
      heard.nextMs = 0
      heard.intervalMs = INTERVAL_MS_MIN
    }
  }

  tick(nowMs: number): void {
    for (const peer of this.#s.peers()) {
      const heard = this.#of(peer)
      if (nowMs < heard.nextMs) continue
      heard.nextMs = nowMs + heard.intervalMs
      heard.intervalMs = Math.min(INTERVAL_MS_MAX, 2 * heard.intervalMs)
      if (heard.roster === undefined || lacks(heard.roster, this.#s.roster())) this.#send(peer, heard)
    }
  }

  #send(to: NodeId, { roster }: Heard): void {
    this.#s.send(to, { kind: 'roster', ...this.#s.roster(), asks: roster === undefined })
  }

  #of(peer: NodeId): Heard {
    const known = this.#heard.get(peer)
    if (known !== undefined) return known
    const heard: Heard = { roster: undefined, nextMs: 0, intervalMs: INTERVAL_MS_MIN }
    this.#heard.set(peer, heard)
    return heard
  }
}

/** Returns true when the sender of the first would learn something from the second. */
function lacks(told: Roster, known: Pick<Roster, 'memberships' | 'announcements'>): boolean {
  if ((told.memberships.at(-1)?.epoch ?? 0) < (known.memberships.at(-1)?.epoch ?? 0)) return true
  return known.announcements.some((one) => {
    const other = told.announcements.find(({ nodeId }) => nodeId === one.nodeId)
    return other === undefined || (other.dataDirId === one.dataDirId && other.version < one.version)
  })
}
