import assert from 'node:assert/strict'
import { env } from 'node:process'
import { test } from 'node:test'
import { Memberships } from '../../src/paxos/memberships.js'
import type { LogEntry, NodeId, Slot, Value } from '../../src/paxos/types.js'
import { sameValue } from '../../src/paxos/value.js'
import { Cluster, genesisOf } from './cluster.js'

// Random schedules, the same for a seed in every run: what the network, the disks and an operator may do to a few nodes while their
// membership changes. More of them: MEMBERSHIP_SEEDS=1000 (from MEMBERSHIP_FIRST on); MEMBERSHIP_LINES of the transcript are
// told of the first that fails.

const SEEDS = Number(env['MEMBERSHIP_SEEDS'] ?? 25)
const FIRST = Number(env['MEMBERSHIP_FIRST'] ?? 1)
const STEPS = 1_500
const NODES_MAX = 9

/** Marsaglia's xorshift. */
function randomOf(seed: number): (below: number) => number {
  let state = Math.imul(seed, 0x9e37_79b9) | 1
  const next = (): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
  for (let i = 0; i < 10; i++) next()
  return (below) => next() % below
}

/** Records every written vote, and checks that each slot was decided by its voters. */
class Votes {
  readonly #byDirectory = new Map<string, LogEntry[]>()

  add(dataDirId: string, entry: LogEntry): void {
    const votes = this.#byDirectory.get(dataDirId) ?? []
    this.#byDirectory.set(dataDirId, votes)
    votes.push(entry)
  }

  /** Every decided slot: in some ballot, a majority of its membership wrote down that value, each from the directory that votes there. */
  check(windowSlots: number, initial: readonly NodeId[], decided: ReadonlyMap<Slot, Value>): void {
    const memberships = Memberships.ofGenesis(genesisOf(initial, windowSlots))
    for (let slot = 1; decided.has(slot); slot++) {
      const value = decided.get(slot) as Value
      const membership = memberships.at(slot)
      const countOf = new Map<number, number>()
      const others = new Map<number, number>()
      for (const nodeId of membership.voterIds) {
        const member = membership.member(nodeId)
        assert.ok((member?.votesFrom ?? 0) <= slot)
        for (const vote of this.#byDirectory.get(member?.dataDirId ?? '') ?? []) {
          if (vote.slot !== slot) continue
          assert.ok(slot >= (member?.votesFrom ?? 0), `n${nodeId} votes in slot ${slot}, before it may`)
          const counts = sameValue(vote.value, value) ? countOf : others
          counts.set(vote.ballot, (counts.get(vote.ballot) ?? 0) + 1)
        }
      }
      const most = Math.max(0, ...countOf.values())
      assert.ok(most >= membership.quorum, `slot ${slot} was decided by ${most}, and ${membership.quorum} must be`)
      assert.ok(Math.max(0, ...others.values()) < membership.quorum, `in slot ${slot} another value has a majority, too`)
      if (value.kind === 'membership') memberships.onDecided(slot, value)
      memberships.forget(slot)
    }
  }
}

class Schedule {
  readonly cluster: Cluster
  readonly #random: (below: number) => number
  readonly #initial: readonly NodeId[]
  readonly #windowSlots: number
  readonly #votes = new Votes()
  readonly #down = new Set<NodeId>()
  readonly #gone = new Set<NodeId>()
  /** Begins anew, and does not vote yet. */
  #returning: NodeId = 0
  #joining: NodeId = 0
  #lastNodeId: NodeId
  #commands = 0

  constructor(seed: number) {
    this.#random = randomOf(seed)
    this.#windowSlots = 1 + this.#random(4)
    this.#initial = Array.from({ length: 1 + this.#random(5) }, (_, i) => i + 1)
    this.#lastNodeId = this.#initial.length
    this.cluster = new Cluster({
      nodeIds: this.#initial,
      options: { windowSlots: this.#windowSlots, pageBytesMax: this.#random(2) === 0 ? 60 : 1 << 20 },
      onVote: (dataDirId, entry) => this.#votes.add(dataDirId, entry),
    })
  }

  run(): void {
    const { cluster } = this
    for (let i = 0; i < STEPS; i++) {
      this.#step()
      if (i % 300 === 299) this.#calm()
    }
    this.#calm()
    this.#votes.check(this.#windowSlots, this.#initial, cluster.decided)
  }

  /** All is well again: then there is progress. */
  #calm(): void {
    const { cluster } = this
    cluster.heal()
    for (const nodeId of this.#down) cluster.restart(nodeId)
    this.#down.clear()
    const command = `calm-${++this.#commands}`
    cluster.runUntil(
      'a command is decided, and all are level',
      () => {
        this.#bury()
        if (!cluster.isDecided(command)) for (const nodeId of this.#up()) cluster.propose(nodeId, command)
        cluster.run(100)
        return (
          cluster.isDecided(command) && this.#members().every((nodeId) => cluster.node(nodeId).decidedUpTo === cluster.log.length)
        )
      },
      60_000,
    )
    for (const nodeId of this.#members()) {
      assert.equal(cluster.membersAt(nodeId), cluster.membersAt(this.#members()[0] ?? 0))
    }
  }

  #step(): void {
    const { cluster } = this
    const dice = this.#random(1_000)
    const nodeId = this.#anyOf(this.#alive())
    if (dice < 600) this.#deliver(1 + this.#random(8))
    else if (dice < 780) this.#tick(nodeId)
    else if (dice < 820) this.#lose()
    else if (dice < 840) this.#duplicate()
    else if (dice < 880) this.#withUp(nodeId, () => void cluster.propose(nodeId, `c${++this.#commands}`))
    else if (dice < 900) this.#withUp(nodeId, () => void cluster.read(nodeId))
    else if (dice < 915) this.#crash(nodeId)
    else if (dice < 935) this.#restart()
    else if (dice < 942) this.#replaceDirectory(nodeId)
    else if (dice < 970) this.#change()
    else if (dice < 976) this.#withUp(nodeId, () => cluster.compact(nodeId))
    else if (dice < 984) cluster.cut(nodeId, this.#anyOf(this.#alive()))
    else if (dice < 996) cluster.heal()
    else this.#withUp(nodeId, () => void cluster.handOver(nodeId))
    this.#bury()
  }

  #deliver(count: number): void {
    for (let i = 0; i < count; i++) {
      const { inTransit } = this.cluster
      if (inTransit.length === 0) return
      const { message } = inTransit[this.#random(Math.min(inTransit.length, 20))] ?? assert.fail()
      this.cluster.deliver({ where: (m) => m === message })
    }
  }

  #tick(nodeId: NodeId): void {
    const ms = [10, 50, 100, 250, 650][this.#random(5)] ?? 10
    if (this.#random(3) === 0) for (const each of this.#up()) this.cluster.tick(each, ms)
    else this.#withUp(nodeId, () => this.cluster.tick(nodeId, ms))
  }

  #lose(): void {
    const { inTransit } = this.cluster
    const lost = inTransit[this.#random(inTransit.length + 1)]
    if (lost === undefined || this.#random(10) === 0) return void this.cluster.drop()
    this.cluster.drop({ where: (m) => m === lost.message })
  }

  #duplicate(): void {
    const { inTransit } = this.cluster
    const twice = inTransit[this.#random(inTransit.length + 1)]
    if (twice !== undefined) this.cluster.duplicate({ where: (m) => m === twice.message })
  }

  #crash(nodeId: NodeId): void {
    if (this.#down.has(nodeId)) return
    this.cluster.crash(nodeId)
    this.#down.add(nodeId)
  }

  #restart(): void {
    const nodeId = this.#anyOf([...this.#down])
    if (nodeId === 0) return
    this.#down.delete(nodeId)
    this.cluster.restart(nodeId)
  }

  /** One at a time, and where a majority remains that has lost nothing. */
  #replaceDirectory(nodeId: NodeId): void {
    if (this.#returning !== 0 && !this.#votesAgain(this.#returning)) return
    // As those who remain will find it again after a crash.
    const durableUpTo = Math.min(
      ...this.#members().map((id) => (id === nodeId ? Number.POSITIVE_INFINITY : this.cluster.durableUpTo(id))),
    )
    const { governing } = this.#memberships(durableUpTo)
    const isNeeded = governing.some((m) => m.voterIds.filter((id) => id !== nodeId && this.#isThere(id)).length < m.quorum)
    if (isNeeded || this.#isChanging() || nodeId === this.#joining) return
    this.#crash(nodeId)
    this.cluster.replaceDirectory(nodeId)
    this.#returning = nodeId
  }

  #change(): void {
    const { cluster } = this
    const at = this.#anyOf(this.#up())
    if (at === 0) return
    const members = this.#memberships().latest.members
    const nodeId = this.#anyOf(members.map((m) => m.nodeId))
    switch (this.#random(4)) {
      case 0: {
        if (this.#joining !== 0 && !this.#gone.has(this.#joining) && !members.some((m) => m.nodeId === this.#joining)) {
          const peerAddress = `peer-${this.#joining}:1`
          return cluster.change(at, {
            kind: 'add',
            nodeId: this.#joining,
            peerAddress,
            clientAddress: `client-${this.#joining}:1`,
          })
        }
        if (this.#lastNodeId >= NODES_MAX || members.length >= 6) return
        this.#joining = ++this.#lastNodeId
        return cluster.addHost(this.#joining)
      }
      case 1:
      case 2: {
        const learner = members.find((m) => m.votesFrom === 0)
        if (learner !== undefined) cluster.change(at, { kind: 'promote', nodeId: learner.nodeId })
        return
      }
      case 3:
        if (nodeId !== this.#returning && members.length > 1) cluster.change(at, { kind: 'remove', nodeId })
    }
  }

  /** A node that has stopped because it was removed never starts again. */
  #bury(): void {
    for (const nodeId of this.#up()) {
      const halt = this.cluster.haltOf(nodeId)
      if (halt === undefined) continue
      assert.equal(halt.code, 'REMOVED', `n${nodeId}: ${halt.message}`)
      assert.ok(!this.#memberships().latest.has(nodeId))
      this.cluster.crash(nodeId)
      this.#gone.add(nodeId)
    }
  }

  /** The memberships by the decisions so far, with those that govern the slots after this one. */
  #memberships(upTo: Slot = Number.POSITIVE_INFINITY): Memberships {
    const memberships = Memberships.ofGenesis(genesisOf(this.#initial, this.#windowSlots))
    const { decided } = this.cluster
    for (let slot = 1; decided.has(slot); slot++) {
      const value = decided.get(slot) as Value
      if (value.kind === 'membership') memberships.onDecided(slot, value)
      if (slot <= upTo) memberships.forget(slot)
    }
    return memberships
  }

  /** A change may be decided, or on its way. */
  #isChanging(): boolean {
    if (this.#memberships().governing.length > 1 || this.#down.size > 0) return true
    if (this.#up().some((nodeId) => this.cluster.node(nodeId).openVotes.some(isChange))) return true
    return this.cluster.inTransit.some(({ message }) => {
      if (message.kind === 'promise') return message.accepted.some(isChange)
      return message.kind === 'changeMembership' || (message.kind === 'accept' && isChange(message))
    })
  }

  #votesAgain(nodeId: NodeId): boolean {
    const member = this.#memberships().latest.member(nodeId)
    return member === undefined || (member.votesFrom > 0 && member.dataDirId === this.cluster.dataDirIdOf(nodeId))
  }

  #isThere(nodeId: NodeId): boolean {
    return !this.#gone.has(nodeId) && (nodeId !== this.#returning || this.#votesAgain(nodeId))
  }

  #members(): NodeId[] {
    return this.#memberships()
      .latest.members.map((m) => m.nodeId)
      .filter((nodeId) => this.cluster.nodeIds.includes(nodeId))
  }

  #alive(): NodeId[] {
    return this.cluster.nodeIds.filter((nodeId) => !this.#gone.has(nodeId))
  }

  #up(): NodeId[] {
    return this.#alive().filter((nodeId) => !this.#down.has(nodeId))
  }

  #withUp(nodeId: NodeId, action: () => void): void {
    if (nodeId !== 0 && !this.#down.has(nodeId)) action()
  }

  #anyOf(nodeIds: readonly NodeId[]): NodeId {
    return nodeIds[this.#random(Math.max(1, nodeIds.length))] ?? 0
  }
}

test(`${SEEDS} random schedules with membership changes: one value for each slot, and progress once faults end`, () => {
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    let schedule: Schedule | undefined
    try {
      schedule = new Schedule(seed)
      schedule.run()
    } catch (error) {
      const last = schedule?.cluster.transcript.slice(-Number(env['MEMBERSHIP_LINES'] ?? 25)).join('\n')
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}\n${last}`, { cause: error })
    }
  }
})

function isChange({ value }: { value: Value }): boolean {
  return value.kind === 'membership'
}
