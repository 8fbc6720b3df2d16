import type { Logger } from 'pino'
import type { Message } from '../../paxos/messages.js'
import type { NodeId, Slot } from '../../paxos/types.js'
import { HaltError } from '../halt-error.js'

interface Settings {
  readonly self: NodeId
  /** Everybody who is a member, this node included. */
  readonly members: () => readonly { readonly nodeId: NodeId; readonly votesFrom: Slot }[]
  readonly send: (to: NodeId, message: Message) => void
  readonly logger: Logger
}

/** Boundaries that are remembered, one's own and of each peer. */
const KEPT_COUNT = 64

/**
 * Compares this node's state with that of the others, by its digest at the slots that are checkpoint boundaries on every node. A node
 * that differs from a majority of the voters must serve nobody any more: a bug, or a bit that flipped in its memory or on its disk.
 */
export class DigestWatch {
  readonly #s: Settings
  readonly #own = new Map<Slot, number>()
  /** By node: what it reported, for slots that this node has not come to yet, too. */
  readonly #reported = new Map<NodeId, Map<Slot, number>>()
  /** Each is told of once. */
  readonly #toldNodes = new Set<NodeId>()

  constructor(settings: Settings) {
    this.#s = settings
  }

  /** This node had applied a boundary slot before it could tell anybody. */
  note(slot: Slot, stateDigest: number): void {
    keep(this.#own, slot, stateDigest)
  }

  /** This node has applied a boundary slot. @throws HaltError STATE_DIVERGED */
  onBoundary(slot: Slot, stateDigest: number): void {
    keep(this.#own, slot, stateDigest)
    const { self, members, send } = this.#s
    for (const { nodeId } of members()) if (nodeId !== self) send(nodeId, { kind: 'digest', slot, stateDigest })
    this.#compare(slot)
  }

  /** @throws HaltError STATE_DIVERGED */
  onReport(from: NodeId, slot: Slot, stateDigest: number): void {
    const { members } = this.#s
    if (!members().some((m) => m.nodeId === from)) return
    const reports = this.#reported.get(from) ?? new Map<Slot, number>()
    this.#reported.set(from, reports)
    keep(reports, slot, stateDigest)
    for (const nodeId of this.#reported.keys()) if (!members().some((m) => m.nodeId === nodeId)) this.#reported.delete(nodeId)
    this.#compare(slot)
  }

  #compare(slot: Slot): void {
    const own = this.#own.get(slot)
    if (own === undefined) return
    const { self, members, logger } = this.#s
    const voters = members().filter((m) => m.votesFrom > 0)
    /** By digest: which voters came to it. */
    const others = new Map<number, NodeId[]>()
    for (const { nodeId } of voters) {
      const reported = this.#reported.get(nodeId)?.get(slot)
      if (reported === undefined || reported === own) continue
      others.set(reported, [...(others.get(reported) ?? []), nodeId])
    }
    for (const [digest, nodeIds] of others) {
      if (nodeIds.length > voters.length / 2) {
        throw new HaltError(
          'STATE_DIVERGED',
          `the state after slot ${slot} has the digest ${hex(own)} here, but ${hex(digest)} on the nodes ${nodeIds.join(', ')}: this ` +
            'node does not hold what the majority holds and must not serve it. Keep its data directory for whoever looks into it, and ' +
            'replace this member.',
          { remedies: [{ code: 'REPLACE_MEMBER', nodeId: self }] },
        )
      }
      for (const nodeId of nodeIds.filter((id) => !this.#toldNodes.has(id))) {
        this.#toldNodes.add(nodeId)
        logger.error({ nodeId, slot, own: hex(own), theirs: hex(digest) }, 'the state of another node differs')
      }
    }
  }
}

function keep(digests: Map<Slot, number>, slot: Slot, digest: number): void {
  digests.set(slot, digest)
  if (digests.size <= KEPT_COUNT) return
  const [oldest] = digests.keys()
  if (oldest !== undefined) digests.delete(oldest)
}

function hex(digest: number): string {
  return digest.toString(16).padStart(8, '0')
}
