import type { WorldPlan } from '../../src/sim/plan/plan.js'
import { type Mutation, rivals, strikes } from './mutant.js'

/** Deliberate bugs of src/paxos: reads off the log, who leads, how a cluster is formed. */
export const LEADING_MUTATIONS: readonly Mutation[] = [
  // --- reads ----------------------------------------------------------------------------------------------------------------
  {
    name: 'a read is answered without a heartbeat round',
    file: 'paxos/leader/read-index-rounds.ts',
    find: 'while (this.#rounds[0]?.acks.hasQuorum === true)',
    replace: 'while (this.#rounds[0] !== undefined)',
  },
  {
    name: 'a new leader answers reads before a slot of its own ballot is decided',
    favours: (plan) => plan.habits.readRate >= 0.3 && rivals(plan),
    file: 'paxos/leader/pipeline.ts',
    find: '    if (this.#firstOwn === 0 || decidedUpTo < Math.max(this.#firstOwn, this.#scout.lastOpen)) return false\n',
    replace: '',
  },
  {
    name: 'read ids begin at 1 after a restart',
    file: 'paxos/node/roles.ts',
    find: 'firstId: firstId + 1',
    replace: 'firstId: 1',
  },
  {
    name: 'a new leader proposes nothing of its own',
    favours: ({ habits }) => habits.readRate >= 0.6 && habits.outstandingMax === 1,
    file: 'paxos/leader/pipeline.ts',
    find: '      this.#firstOwn = this.#nextSlot\n      this.propose(NOOP, nowMs)\n',
    replace: '      this.#firstOwn = this.#nextSlot\n',
  },
  {
    name: 'an acknowledgement of an earlier round confirms a read',
    file: 'paxos/leader/read-index-rounds.ts',
    find: 'if (r.round <= round) r.acks.add(from)',
    replace: 'r.acks.add(from)',
  },
  {
    name: "whoever has promised a higher ballot still acknowledges the old leader's heartbeats",
    file: 'paxos/node/elections.ts',
    find: 'const highest = Math.max(acceptor.promised, followed.ballot)',
    replace: 'const highest = followed.ballot',
  },
  // --- who leads ------------------------------------------------------------------------------------------------------------
  {
    name: 'a leader does not notice that it has promised a higher ballot',
    file: 'paxos/node/elections.ts',
    find: 'if (own !== NO_BALLOT && own < promised) return this.becomeFollowing()',
    replace: "if (this.#state.phase === 'scouting' && own < promised) return this.becomeFollowing()",
  },
  {
    name: 'whoever has ever heard a leader follows nobody else',
    file: 'paxos/node/elections.ts',
    find: 'const patienceMs = options.electionTimeoutMsMin - options.heartbeatIntervalMs',
    replace: 'const patienceMs = 100 * options.electionTimeoutMsMax',
  },
  // --- log time -------------------------------------------------------------------------------------------------------------
  {
    name: 'the clock that is furthest ahead is log time',
    file: 'paxos/log-clock.ts',
    find: '(ahead[index] as number)',
    replace: '(ahead.at(-1) as number)',
  },
  {
    name: 'where the clocks are behind, log time goes on twice as fast as time',
    file: 'paxos/log-clock.ts',
    find: '* (1 - SLEW)',
    replace: '* 2',
  },
  {
    name: 'log time is the middle of the clocks that were heard, however few',
    isRare: true,
    favours: ({ faults, nodeCount }) => nodeCount === 5 && strikes('clockJump', 'clockSkew')({ faults } as WorldPlan),
    file: 'paxos/log-clock.ts',
    find: 'Math.min((ahead.length - 1) >> 1, ahead.length - 1 - wrongMax)',
    replace: '(ahead.length - 1) >> 1',
  },
  // --- bootstrap ------------------------------------------------------------------------------------------------------------
  {
    name: 'a node whose directory was lost votes from a new one',
    isRare: true,
    favours: strikes('lostDirectory'),
    file: 'paxos/bootstrap.ts',
    find: 'if (own?.dataDirId === dataDirId) return true',
    replace: 'if (own?.dataDirId.length === dataDirId.length) return true',
  },
  {
    name: 'the seed does not wait for all members',
    file: 'paxos/bootstrap.ts',
    find: 'if (this.#joined.size === this.#settings.members.length) this.#found()',
    replace: 'if (2 * this.#joined.size > this.#settings.members.length) this.#found()',
  },
  {
    name: 'a welcome leaves before the genesis is on the disk',
    file: 'paxos/bootstrap.ts',
    find: 'for (const { nodeId } of genesis.members) this.#out.sendOnceDurable(nodeId, welcome)',
    replace:
      'for (const { nodeId } of genesis.members) if (nodeId !== this.#settings.self) this.#out.send(nodeId, welcome)\n    this.#out.sendOnceDurable(this.#settings.self, welcome)',
  },
]
