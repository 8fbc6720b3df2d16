import type { Change } from './mutant.js'

/** Changes that do no harm: a simulator that noticed one of them would demand more than Synod guarantees. */
export const SURVIVORS: readonly Change[] = [
  {
    name: 'an Accept that was not answered is sent again twice as late',
    file: 'paxos/commander.ts',
    find: 'this.#retryAtMs = nowMs + delayMs * 2 ** this.#retryCount',
    replace: 'this.#retryAtMs = nowMs + 2 * delayMs * 2 ** this.#retryCount',
  },
  {
    name: 'peers are told in another order',
    file: 'paxos/leader/listeners.ts',
    find: 'for (const to of this.#others) this.#out.send(to, message)',
    replace: 'for (const to of this.#others.toReversed()) this.#out.send(to, message)',
  },
  {
    name: 'what is decided is told with the next Accept or heartbeat only',
    file: 'paxos/leader/heartbeats.ts',
    find: "    this.#listeners.tellOthers({ kind: 'decided', ballot: this.#ballot, decidedUpTo: this.#announcedUpTo })\n",
    replace: '',
  },
  {
    // Everything acknowledged before is in slots that the promises have reported, and those are decided by then.
    name: 'a new leader answers reads as soon as everything that it found is decided',
    file: 'paxos/leader/pipeline.ts',
    find: 'if (this.#firstOwn === 0 || decidedUpTo < Math.max(this.#firstOwn, this.#scout.lastOpen)) return false',
    replace: 'if (decidedUpTo < this.#scout.lastOpen) return false',
  },
  {
    name: 'a batch holds two commands at most',
    file: 'paxos/leader/proposal-queue.ts',
    find: 'Math.min(this.#options.batchCommandsMax, ',
    replace: 'Math.min(2, this.#options.batchCommandsMax, ',
  },
  {
    name: 'a command is proposed again after its delay, whoever leads by then',
    file: 'host/requests/requester.ts',
    find: 'this.#proposeAgain((pending) => pending.proposalCount <= 1)',
    replace: 'this.#proposeAgain((pending) => pending.proposalCount === 0)',
  },
  {
    // The node is told of the cluster that it once belonged to, and stops by itself.
    name: 'a member with another directory is listened to while it knows of no cluster',
    file: 'host/admission.ts',
    find: "if (clusterId === '' || listed.some((m) => m.dataDirId === '')) return 'joinOnly'",
    replace: "if (clusterId === '') return undefined",
  },
  {
    name: 'the log is trimmed more slowly',
    file: 'storage/log/linked-writer.ts',
    find: 'const TRIM_COUNT_MIN = 64',
    replace: 'const TRIM_COUNT_MIN = 1',
  },
]
