import type { DirectoryMark, HostMessage, Message } from '../../paxos/messages.js'
import type { Member, NodeId } from '../../paxos/types.js'
import type { Storage } from '../../storage/storage.js'

type Recall = Extract<HostMessage, { kind: 'recall' }>

interface Settings {
  readonly self: NodeId
  readonly storage: Pick<Storage, 'dataDirId' | 'lastWrite' | 'marks' | 'noteMarks'>
  /** Every member of a membership that still matters; none before the cluster is formed. */
  readonly members: () => readonly Member[]
  readonly send: (to: NodeId, message: Message) => void
}

const INTERVAL_MS = 1_000
const MARKS_MAX = 100

/**
 * Remembers how far each member's data directory has got, by what it tells of itself, and tells the others about one's own, and what it
 * has heard of others': so that who starts on an older copy of its directory, and would vote as if it had never promised what it had,
 * hears of it (start-gate.ts), also from members that came while it was away.
 */
export class PeerMarks {
  readonly #s: Settings
  /** By data-dir id: the highest write that was told of. */
  readonly #marks: Map<string, number>
  /** Data-dir ids of which there is news since the members were told last. */
  readonly #changed = new Set<string>()
  /** Members that have been told everything once. */
  #toldAll: ReadonlySet<NodeId> = new Set()
  #toldWrite = 0
  #nextMs = 0

  constructor(settings: Settings) {
    this.#s = settings
    this.#marks = new Map(settings.storage.marks)
  }

  /** The highest write that this node was ever told of, of that directory; 0 for none. */
  of(dataDirId: string): number {
    return this.#marks.get(dataDirId) ?? 0
  }

  /** A peer's writes up to this one are durable. */
  onMark(dataDirId: string, writeNumber: number): void {
    if (writeNumber <= this.of(dataDirId) || !this.#counts(dataDirId)) return
    this.#marks.set(dataDirId, writeNumber)
    this.#changed.add(dataDirId)
  }

  /** A peer that starts asks; it is told, and then what it says of itself is noted. */
  onRecall(from: NodeId, dataDirId: string, { writeNumber, recallId }: Recall): void {
    this.#s.send(from, { kind: 'recalled', writeNumber: this.of(dataDirId), recallId })
    this.onMark(dataDirId, writeNumber)
  }

  /** That member may know nothing: it hears everything with the next tick. */
  tellAll(nodeId: NodeId): void {
    this.#toldAll = new Set([...this.#toldAll].filter((id) => id !== nodeId))
  }

  /** Once a second, if there is news. */
  tick(nowMs: number): void {
    if (nowMs < this.#nextMs) return
    this.#nextMs = nowMs + INTERVAL_MS
    const { self, storage, members, send } = this.#s
    if (this.#changed.size > 0) {
      this.#forgetStrangers()
      storage.noteMarks(new Map(this.#marks))
    }
    const own = { dataDirId: storage.dataDirId, writeNumber: storage.lastWrite }
    const others = Array.from(this.#marks, ([dataDirId, writeNumber]): DirectoryMark => ({ dataDirId, writeNumber }))
    const all = [own, ...others.filter(({ dataDirId }) => dataDirId !== own.dataDirId)]
    const news = all.filter((mark) => (mark === own ? own.writeNumber !== this.#toldWrite : this.#changed.has(mark.dataDirId)))
    this.#toldWrite = own.writeNumber
    this.#changed.clear()
    const nodeIds = new Set(members().map(({ nodeId }) => nodeId))
    nodeIds.delete(self)
    for (const nodeId of nodeIds) {
      const marks = this.#toldAll.has(nodeId) ? news : all
      if (marks.length > 0) send(nodeId, { kind: 'mark', marks })
    }
    this.#toldAll = nodeIds
  }

  /** Returns true for members' directories; for any, while this node knows of no cluster: a mark is told once, as soon as it is reached. */
  #counts(dataDirId: string): boolean {
    const members = this.#s.members()
    return members.length === 0 ? this.#marks.size < MARKS_MAX : members.some((m) => m.dataDirId === dataDirId)
  }

  /** Drops the marks of nodes that are no members any more: they are not admitted anyway. */
  #forgetStrangers(): void {
    const known = new Set(this.#s.members().map((m) => m.dataDirId))
    if (known.size === 0) return
    for (const dataDirId of this.#marks.keys()) if (!known.has(dataDirId)) this.#marks.delete(dataDirId)
  }
}
