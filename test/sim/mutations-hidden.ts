import type { Mutation } from './mutant.js'

/**
 * Deliberate bugs that the simulator should notice, and rarely or never does. Each says what hides it, and so what to build next.
 */
export const HIDDEN_MUTATIONS: readonly Mutation[] = [
  // A leader rarely leads again while a late vote of its earlier ballot is under way, and the value must also differ.
  {
    name: 'votes of an earlier ballot count',
    file: 'paxos/leader/commanders.ts',
    find: '    if (m.ballot !== this.#ballot) return\n    const commander',
    replace: '    const commander',
  },
  // A late answer must come in the fraction of a second in which the leader leads on without a majority.
  {
    name: 'a leader that learns a decision of a higher ballot leads on',
    file: 'paxos/node/member-messages.ts',
    find: '  if (isOvertaken) elections.becomeFollowing()\n',
    replace: '',
  },
  // Virtual time stands still during a step: no time budget is ever used up.
  {
    name: 'a slot that is decided while the last ones are being applied is applied twice',
    file: 'host/apply/decided-queue.ts',
    find: 'this.#entries = done === this.#entries.length ? [] : this.#entries.slice(done)',
    replace: 'this.#entries = done === this.#entries.length ? [] : this.#entries.slice(done - 1)',
  },
  // Clients use the slot in the result itself, which is right. Another state machine would be given the wrong slot.
  {
    name: 'a retry is told the slot of the retry',
    file: 'replication/sessions.ts',
    find: 'if (known !== undefined) return outcomeOf(known)',
    replace: 'if (known !== undefined) return outcomeOf({ ...known, slot: at.slot })',
  },
  // Microtasks of one node come between an answer and its slot only after a pause.
  {
    name: 'an answer tells the slot of its read index, not that of the state',
    file: 'host/hosted-member.ts',
    find: '    await this.readIndex(options)\n    // More may have been applied by the time that this goes on.\n    return { slot: this.#a.applier.appliedUpTo, result',
    replace: '    const slot = await this.readIndex(options)\n    return { slot, result',
  },
  // A node's own session expires only after an idle hour of log time, and then the command must have been proposed twice.
  {
    name: 'a command whose session is gone is sent in a new one, however often it was proposed',
    file: 'host/requests/session-desk.ts',
    find: 'wasRepeated(pending) ? refusedOnce(outcome.kind) : OUTCOME_ERRORS[outcome.kind]()',
    replace: 'pending.name.clientId === 0 ? refusedOnce(outcome.kind) : OUTCOME_ERRORS[outcome.kind]()',
  },
  // No checker counts how often a command that was certainly not proposed is in the log.
  {
    name: 'a command that timed out is told to have never been proposed',
    file: 'host/requests/pending.ts',
    find: '  return proposalCount === 0\n',
    replace: '  return proposalCount <= 1\n',
  },
  // A value learned from a peer must differ from the one in the log, and be asked for while it is written.
  {
    name: 'peers are served from the log what is still on its way to the disk',
    file: 'storage/log/log-reader.ts',
    find: 'Math.min(toSlot, this.#writer.decidedUpTo)',
    replace: 'Math.min(toSlot, this.#writer.rules.decidedUpTo)',
  },
  // Other nodes would have to have voted under a membership that the new leader learns only once it leads.
  {
    name: 'a leader proposes though only those promised who vote in earlier slots',
    file: 'paxos/leader/pipeline.ts',
    find: 'return this.#scout.covers(this.#memberships.at(this.#nextSlot), this.#nextSlot)',
    replace: 'return this.#scout.covers(this.#memberships.current, this.#nextSlot)',
  },
  // The leader hands over as soon as it has no vote: hardly a slot is decided by then.
  {
    name: 'a leader that does not vote in a slot keeps no record of what it has decided there',
    file: 'paxos/leader/commanders.ts',
    find: "if (this.#acceptor.acceptedAt(slot)?.ballot !== this.#ballot) this.#out.persist({ kind: 'learned', entry })",
    replace: '',
  },
  // In the few slots at the seam of two memberships the missing vote is on a disk a millisecond later.
  {
    name: 'votes are counted by who votes in the first slot that is open',
    file: 'paxos/leader/commanders.ts',
    find: 'membership: this.#memberships.at(slot),',
    replace: 'membership: this.#memberships.current,',
  },
  // The nodes acknowledge for as long as they run, and after that the next round answers.
  {
    name: 'reads wait for the acknowledgement of those who vote no more',
    file: 'paxos/leader.ts',
    find: '    this.#readIndexRounds.onMembershipChanged()\n',
    replace: '',
  },
  // The others tell the node that it was removed, and it stops.
  {
    name: 'a leader that has lost its vote leads on',
    file: 'paxos/leader/hand-over.ts',
    find: 'return !latest.isVoter(this.#self) && this.#replica.decidedUpTo >= latest.fromSlot - 1',
    replace: 'return false',
  },
  // The receiver compares the counts and sums, and begins again.
  {
    name: 'a transfer that goes on takes for its own what another checkpoint has',
    file: 'host/checkpoint/checkpoint-sender.ts',
    find: 'open.view.header.checkpointId === request.checkpointId ? request.afterKey : undefined',
    replace: 'request.afterKey',
  },
]
