import type { WorldPlan } from '../../src/sim/plan/plan.js'
import { type Mutation, strikes } from './mutant.js'

/** Worlds in which members come and go. */
const changes = strikes('addMember', 'removeMember', 'replaceMember')

/** Selects worlds in which a node that lags needs a peer's checkpoint. */
function fetches({ options, checkpointEverySlots, logSlotsMax }: WorldPlan): boolean {
  return options.recentSlotsMax < 100 && checkpointEverySlots < 100 && logSlotsMax <= 300
}

/** Deliberate bugs around the membership, checkpoints from peers, and directories that are not what they were. */
export const MEMBERSHIP_MUTATIONS: readonly Mutation[] = [
  // --- who votes ------------------------------------------------------------------------------------------------------------
  {
    name: 'a change of the membership is in force at once',
    file: 'paxos/memberships.ts',
    find: 'new Membership({ epoch: value.epoch, fromSlot: slot + this.#windowSlots, members, lastNodeId })',
    replace: 'new Membership({ epoch: value.epoch, fromSlot: slot + 1, members, lastNodeId })',
    favours: changes,
  },
  {
    name: 'a learner counts as a voter',
    file: 'paxos/membership.ts',
    find: 'record.members.filter((m) => m.votesFrom > 0)',
    replace: 'record.members.filter((m) => m.votesFrom >= 0)',
    favours: changes,
  },
  {
    name: 'the promise of an earlier life of a member counts',
    file: 'paxos/scout.ts',
    find: 'return this.#promised.get(nodeId)?.votesFrom === membership.member(nodeId)?.votesFrom',
    replace: 'return membership.has(nodeId) && this.#promised.has(nodeId)',
    favours: strikes('corruptedRecord'),
    isRare: true,
  },
  {
    name: 'a directory takes the place of any other of its node',
    file: 'paxos/memberships.ts',
    find: 'if (member.dataDirId !== change.dataDirId || !others.some((m) => m.votesFrom > 0)) return undefined',
    replace: 'if (!others.some((m) => m.votesFrom > 0)) return undefined',
    favours: strikes('corruptedRecord', 'lostDirectory'),
    isRare: true,
  },
  {
    name: 'a node that has been reset votes as before',
    file: 'paxos/memberships.ts',
    find: 'return replacedBy({ ...member, dataDirId: change.newDataDirId, votesFrom: 0, returning })',
    replace: 'return replacedBy({ ...member, dataDirId: change.newDataDirId, returning })',
    favours: strikes('corruptedRecord'),
  },
  {
    name: 'a member that was reset never votes again',
    isRare: true,
    file: 'paxos/leader.ts',
    find: 'if (returning !== undefined) this',
    replace: 'if (returning === 0) this',
    favours: strikes('corruptedRecord'),
  },
  {
    name: 'a change of the membership is answered as soon as it is in force',
    file: 'host/membership/membership-calls.ts',
    find: 'if (memberships !== undefined && isInForce && settledEpoch >= membership.epoch) {',
    replace: 'if (memberships !== undefined && isInForce && settledEpoch > 0) {',
    favours: changes,
  },
  {
    name: 'a leader takes a membership for settled when it has it on its own disk',
    file: 'paxos/leader/settlement.ts',
    find: 'if (knowing.length < quorum) return false',
    replace: 'if (this.#s.watermark.durableUpTo < fromSlot - 1 || quorum === 0) return false',
    favours: changes,
  },
  {
    name: 'a node says of what it knows that it has it on disk',
    file: 'paxos/node/member-messages.ts',
    find: '    durableUpTo: watermark.durableUpTo,\n',
    replace: '    durableUpTo: replica.decidedUpTo,\n',
    favours: changes,
  },
  // --- checkpoints of peers -------------------------------------------------------------------------------------------------
  {
    name: 'a checkpoint that is installed takes later votes with it',
    file: 'storage/log/log-index.ts',
    find: '      if (slot > upTo) continue\n      removed.push(slot)\n',
    replace: '      removed.push(slot)\n',
    favours: fetches,
  },
  {
    name: 'a node that installs a checkpoint forgets its later votes',
    file: 'paxos/acceptor.ts',
    find: 'for (const slot of this.#accepted.keys()) if (slot <= upTo) this.#forget(slot)',
    replace: 'for (const slot of this.#accepted.keys()) this.#forget(slot)',
    favours: fetches,
  },
  {
    name: 'a node that installs a checkpoint forgets its promise',
    file: 'paxos/acceptor.ts',
    find: '    this.#decidedUpTo = upTo\n    for (const slot',
    replace: '    this.#decidedUpTo = upTo\n    this.#promised = 0\n    for (const slot',
    favours: fetches,
  },
  {
    name: 'records of slots that a checkpoint has are written after it',
    file: 'paxos/node.ts',
    find: '    out.dropRecords(installed.slot)\n',
    replace: '',
    favours: fetches,
    isRare: true,
  },
  {
    name: 'a node that installs a checkpoint goes on with the memberships that it knew',
    file: 'paxos/node.ts',
    find: '    memberships.restart(installed.memberships)\n',
    replace: '',
    favours: (plan) => fetches(plan) && changes(plan),
  },
  {
    name: 'the log is trimmed above the checkpoint',
    file: 'storage/log/linked-writer.ts',
    find: 'const limits = { upTo, countMax',
    replace: 'const limits = { upTo: this.rules.decidedUpTo, countMax',
    favours: fetches,
  },
  {
    name: 'where the counting of boundaries stood is forgotten with a restart',
    file: 'host/apply/boundaries.ts',
    find: 'this.#slots = checkpoint.boundarySlots',
    replace: 'this.#slots = 0',
  },
  {
    name: 'the state in memory stays as it was when a checkpoint is installed',
    file: 'host/start/recovery.ts',
    find: '    restoration.load(page)\n',
    replace: '    if (page.length < 3) restoration.load(page)\n',
    favours: fetches,
  },
  // --- directories that are not what they were ------------------------------------------------------------------------------
  {
    name: 'a node asks nobody whether its directory is the newest',
    file: 'host/start/start-gate.ts',
    find: 'if (this.#isOpen || !this.#hasMajority()) return\n',
    replace: 'if (this.#isOpen) return\n',
    favours: strikes('olderCopy'),
  },
  {
    name: 'nobody remembers how far the directories of others had got',
    file: 'host/peers/peer-talk.ts',
    find: 'for (const mark of message.marks) this.#marks.onMark(mark.dataDirId, mark.writeNumber)\n',
    replace: '',
    favours: strikes('olderCopy'),
  },
  {
    name: 'a late answer about a directory is compared with what it was at the start',
    file: 'host/peers/peer-talk.ts',
    find: 'const lastWrite = (): number => storage.lastWrite\n',
    replace: 'const atStart = storage.lastWrite\n    const lastWrite = (): number => atStart\n',
    isRare: true,
  },
]
