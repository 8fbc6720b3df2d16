import type { HostMessage, Message } from '../paxos/messages.js'
import type { Member, NodeId } from '../paxos/types.js'
import type { Storage } from '../storage/storage.js'

type Recall = Extract<HostMessage, { kind: 'recall' }>

interface Settings {
  readonly self: NodeId
  readonly storage: Pick<Storage, 'lastWrite' | 'marks' | 'noteMarks'>
  /** Every member of a membership that still matters; none before the cluster is formed. */
  readonly members: () => readonly Member[]
  readonly send: (to: NodeId, message: Message) => void
}

const INTERVAL_MS = 1_000

/**
 * Remembers how far each member's data directory has got, by what it tells of itself, and tells the others about one's own: so that
 * who starts on an older copy of its directory, and would vote as if it had never promised what it had, hears of it (start-gate.ts).
 */
export class PeerMarks {
  readonly #s: Settings
  /** By data-dir id: the highest write that was told of. */
  readonly #marks: Map<string, number>
  #hasChanged = false
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
    if (writeNumber <= this.of(dataDirId) || !this.#s.members().some((m) => m.dataDirId === dataDirId)) return
    this.#marks.set(dataDirId, writeNumber)
    this.#hasChanged = true
  }

  /** A peer that starts asks; it is told, and then what it says of itself is noted. */
  onRecall(from: NodeId, dataDirId: string, { writeNumber, recallId }: Recall): void {
    this.#s.send(from, { kind: 'recalled', writeNumber: this.of(dataDirId), recallId })
    this.onMark(dataDirId, writeNumber)
  }

  /** Once a second, if there is news. */
  tick(nowMs: number): void {
    if (nowMs < this.#nextMs) return
    this.#nextMs = nowMs + INTERVAL_MS
    const { self, storage, members, send } = this.#s
    if (this.#hasChanged) {
      this.#hasChanged = false
      this.#forgetStrangers()
      storage.noteMarks(new Map(this.#marks))
    }
    const writeNumber = storage.lastWrite
    if (writeNumber === this.#toldWrite) return
    this.#toldWrite = writeNumber
    for (const { nodeId } of members()) if (nodeId !== self) send(nodeId, { kind: 'mark', writeNumber })
  }

  /** Whoever is no member any more is not let in anyway. */
  #forgetStrangers(): void {
    const known = new Set(this.#s.members().map((m) => m.dataDirId))
    for (const dataDirId of this.#marks.keys()) if (!known.has(dataDirId)) this.#marks.delete(dataDirId)
  }
}
