import { type Mutation, rivals, strikes } from './mutant.js'

/** Deliberate bugs of src/paxos: how values are accepted, proposed again, decided and learned. */
export const CORE_MUTATIONS: readonly Mutation[] = [
  // --- acceptor, disk -------------------------------------------------------------------------------------------------------
  {
    name: 'answers leave before the sync',
    file: 'paxos/outbox.ts',
    find: 'this.#onceDurable.push({ to, message })',
    replace: 'if (to === this.#self) this.#onceDurable.push({ to, message })\n    else this.#messages.push({ to, message })',
  },
  {
    name: 'an answer that needs no record overtakes the write in flight',
    file: 'paxos/outbox.ts',
    find: 'this.#onceDurable.push({ to, message })',
    replace:
      'if (this.#records.length === 0 && to !== this.#self) return this.send(to, message)\n    this.#onceDurable.push({ to, message })',
  },
  {
    name: 'the own vote counts before the sync',
    file: 'paxos/leader/commanders.ts',
    find: '    this.#acceptor.onAccept(this.#self, accept)\n',
    replace: '    this.#acceptor.onAccept(this.#self, accept)\n    commander.accepted.add(this.#self)\n',
  },
  {
    name: 'the promise is forgotten at a restart',
    file: 'paxos/acceptor.ts',
    find: 'this.#promised = recovered.promised',
    replace: 'this.#promised = recovered.accepted.at(-1)?.ballot ?? 0',
  },
  {
    name: 'the first open vote is forgotten at a restart',
    file: 'paxos/acceptor.ts',
    find: "assert(entry.ballot <= recovered.promised, 'no vote was cast above the promise')",
    replace: 'if (entry.slot === recovered.decidedUpTo + 1 && recovered.decidedUpTo > 0) continue',
  },
  {
    name: 'a promise leaves out the first slot that it is asked for',
    file: 'paxos/acceptor.ts',
    find: 'entry.slot >= m.fromSlot',
    replace: 'entry.slot > m.fromSlot',
  },
  {
    name: 'between two pages of a promise an entry falls out',
    favours: (plan) => plan.options.pageBytesMax === 200 && rivals(plan),
    file: 'paxos/acceptor.ts',
    find: 'open[accepted.length]?.slot ?? 0',
    replace: 'open[accepted.length + 1]?.slot ?? 0',
  },
  {
    name: 'a ballot is used again after a restart',
    file: 'paxos/outbox.ts',
    find: 'this.#records.push(record)',
    replace: "if (record.kind !== 'promised' || record.ballot % 65_536 !== this.#self) this.#records.push(record)",
  },
  // --- scout ----------------------------------------------------------------------------------------------------------------
  {
    name: 'of the accepted values the one that was told last is proposed again',
    isRare: true,
    favours: rivals,
    file: 'paxos/scout.ts',
    find: 'if (highest === undefined || entry.ballot > highest.ballot) ',
    replace: 'if (highest !== entry) ',
  },
  {
    name: 'of the accepted values the one of the lowest ballot is proposed again',
    favours: rivals,
    file: 'paxos/scout.ts',
    find: 'entry.ballot > highest.ballot',
    replace: 'entry.ballot < highest.ballot',
  },
  {
    name: 'the first page of a promise counts as all of it',
    favours: (plan) => plan.options.pageBytesMax === 200 && rivals(plan),
    file: 'paxos/scout.ts',
    find: '    if (m.nextSlot === 0) {\n',
    replace:
      '    this.#promised.set(from, { votesFrom: m.votesFrom, decidedUpTo: m.decidedUpTo })\n    if (m.nextSlot === 0) {\n',
  },
  {
    name: 'a scout does not wait until it has learned the last slot that its promises call decided',
    isRare: true,
    file: 'paxos/node/elections.ts',
    find: 'if (scout.decidedUpTo > replica.decidedUpTo) {',
    replace: 'if (scout.decidedUpTo > replica.decidedUpTo + 1) {',
  },
  {
    name: 'replies are counted instead of members',
    favours: ({ link }) => link.duplicationRate > 0.1,
    file: 'paxos/membership.ts',
    find: 'if ((this.#voters & bit) === 0 && bit !== 0) this.#count++',
    replace: 'if (bit !== 0) this.#count++',
  },
  {
    name: 'half of the members are a quorum',
    favours: ({ nodeCount }) => nodeCount % 2 === 0,
    file: 'paxos/membership.ts',
    find: 'this.quorum = Math.floor(this.voterIds.length / 2) + 1',
    replace: 'this.quorum = Math.ceil(this.voterIds.length / 2)',
  },
  // --- leader ---------------------------------------------------------------------------------------------------------------
  {
    name: 'gaps are closed instead of filled',
    isRare: true,
    file: 'paxos/leader/pipeline.ts',
    find: '      this.propose(this.#scout.highestAt(this.#nextSlot)?.value ?? NOOP, nowMs)\n',
    replace:
      '      const from = this.#scout.highestAt(this.#nextSlot) === undefined ? this.#nextSlot + 1 : this.#nextSlot\n      const value = this.#scout.highestAt(from)?.value ?? NOOP\n      this.#scout.forget(from)\n      this.propose(value, nowMs)\n',
  },
  {
    name: 'what was accepted above a gap is not proposed again',
    isRare: true,
    favours: rivals,
    file: 'paxos/scout.ts',
    find: 'this.#lastOpen = Math.max(this.#lastOpen, entry.slot)',
    replace:
      'if (this.#lastOpen === 0 || entry.slot <= this.#lastOpen + 1) this.#lastOpen = Math.max(this.#lastOpen, entry.slot)',
  },
  {
    name: 'what was accepted beyond the window is not proposed again',
    isRare: true,
    file: 'paxos/scout.ts',
    find: 'this.#lastOpen = Math.max(this.#lastOpen, entry.slot)',
    replace: 'this.#lastOpen = Math.max(this.#lastOpen, Math.min(entry.slot, this.fromSlot + this.#memberships.windowSlots - 1))',
  },
  {
    name: 'a slot whose Accept was lost is not proposed again',
    file: 'paxos/leader/commanders.ts',
    find: 'if (commander.isDecided || nowMs < commander.retryAtMs) continue',
    replace: 'if (commander.isDecided || nowMs < commander.retryAtMs || commander.accepted.count > 1) continue',
  },
  {
    name: 'a leader that hears nobody leads on',
    isRare: true,
    favours: strikes('oneWayPartition'),
    file: 'paxos/leader.ts',
    find: 'if (!this.#progress.hearsMajority()) {',
    replace: 'if (!this.#progress.hearsMajority() && this.inFlightCount === 0) {',
  },
  {
    name: 'a leader that handed over, but leads on, takes no commands any more',
    // One world of 150 loses that very message; broken-before.test.ts loses it on purpose.
    isRare: true,
    favours: strikes('handOver'),
    file: 'paxos/leader/hand-over.ts',
    find: 'this.#endsMs = this.#progress.tickedMs + this.#options.electionTimeoutMsMax',
    replace: 'this.#endsMs = Number.POSITIVE_INFINITY',
  },
  {
    name: 'the window is one slot wider than agreed',
    file: 'paxos/leader/pipeline.ts',
    find: 'this.#replica.decidedUpTo + this.#memberships.windowSlots)',
    replace: 'this.#replica.decidedUpTo + this.#memberships.windowSlots + 1)',
  },
  // --- replica --------------------------------------------------------------------------------------------------------------
  {
    name: "a watermark makes another ballot's value the decision",
    file: 'paxos/replica.ts',
    find: 'if (vote?.ballot !== ballot) return',
    replace: 'if (vote === undefined || vote.ballot > ballot) return',
  },
  {
    name: 'what catch-up brings is not written where an own vote stands',
    isRare: true,
    file: 'paxos/replica.ts',
    find: "this.#out.persist({ kind: 'learned', entry })",
    replace: "if (this.#acceptor.acceptedAt(entry.slot) === undefined) this.#out.persist({ kind: 'learned', entry })",
  },
  {
    name: 'a node that misses slots asks the same peer for ever',
    isRare: true,
    favours: strikes('crash', 'leaderIsolation'),
    file: 'paxos/replica/missing-slots.ts',
    find: '      this.#source = this.#nextSource()\n      this.#ask(nowMs)',
    replace: '      this.#ask(nowMs)',
  },
  {
    name: 'catch-up from memory begins one slot too late',
    file: 'paxos/replica/recent-slots.ts',
    find: 'this.#entries.slice(fromSlot - first, ',
    replace: 'this.#entries.slice(fromSlot - first + 1, ',
  },
]
