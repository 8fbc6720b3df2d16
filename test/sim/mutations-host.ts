import { clocksDiffer, type Mutation, rivals, strikes } from './mutant.js'

/** Deliberate bugs of src/host: the drain, the requester, sessions of a node's own, linearizable reads, checkpoints, recovery, admission. */
export const HOST_MUTATIONS: readonly Mutation[] = [
  {
    name: 'what is to be said once it is durable is said while the write is on its way',
    file: 'host/disk-writer.ts',
    find: '    this.#isWriting = true\n    this.#write(',
    replace: '    this.#isWriting = true\n    this.onDurable(ready)\n    this.#write(',
  },
  {
    name: 'a node goes on when a write has failed',
    file: 'host/disk-writer.ts',
    find: 'this.#write(ready, prepared).catch((error: unknown) => this.#s.onFailed(writeFailure(error)))',
    replace:
      'this.#write(ready, prepared).catch((error: unknown) => {\n      if (prepared !== undefined) this.#s.onFailed(writeFailure(error))\n      else this.onDurable(ready)\n    })',
  },
  {
    name: 'a second write is begun before the first has ended',
    file: 'host/host.ts',
    find: "const diskIdle = !this.#disk.isWriting && this.#phase === 'running'",
    replace: "const diskIdle = (!this.#disk.isWriting || node.decidedUpTo > applier.appliedUpTo) && this.#phase === 'running'",
  },
  {
    name: 'log time goes back with the value of an older leader',
    // Log time advances by elapsed time now: an earlier time after a later one needs three leaders in turn. applier.test.ts does it in one step.
    isRare: true,
    favours: (plan) => clocksDiffer(plan) && rivals(plan),
    file: 'host/apply/applier.ts',
    find: 'this.#timeMs = Math.max(this.#timeMs, value.timeMs)',
    replace: 'this.#timeMs = value.timeMs',
  },
  {
    name: 'after a restart log time begins anew',
    favours: (plan) => clocksDiffer(plan) && plan.checkpointEverySlots === 5,
    file: 'host/apply/applier.ts',
    find: 'this.#timeMs = checkpoint.timeMs',
    replace: 'this.#timeMs = 0',
  },
  {
    name: 'a checkpoint is of a later slot than the watermark that is written before it',
    file: 'host/host.ts',
    find: 'if (diskIdle && (checkpointDue || this.#isWatermarkDue(nowMs))) node.persistDecidedUpTo()',
    replace: 'if (diskIdle && this.#isWatermarkDue(nowMs)) node.persistDecidedUpTo()',
  },
  {
    name: 'a checkpoint tells the slot that was applied when it is written, not when it was taken',
    file: 'host/checkpoint/checkpointer.ts',
    find: 'this.#prepared = await this.#storage.prepareCheckpoint(info, changes)',
    replace:
      'const prepared = await this.#storage.prepareCheckpoint(info, changes)\n      this.#prepared = prepared\n      Object.assign(info, { appliedUpTo: Math.min(this.#applier.appliedUpTo, info.appliedUpTo + 1) })',
  },
  {
    name: 'a restart carries out the last slot of the checkpoint once more',
    file: 'host/start/recovery.ts',
    find: 'storage.readLog(applier.appliedUpTo + 1, decidedUpTo, PAGE_BYTES)',
    replace: 'storage.readLog(Math.max(1, applier.appliedUpTo), decidedUpTo, PAGE_BYTES)',
  },
  {
    name: 'a restart does not apply the last decided slot',
    file: 'host/start/recovery.ts',
    find: 'while (applier.appliedUpTo < decidedUpTo)',
    replace: 'while (applier.appliedUpTo + 1 < decidedUpTo)',
  },
  {
    name: 'a read is answered when its read index is granted, applied or not',
    favours: ({ habits }) => habits.readRate >= 0.3,
    file: 'host/requests/read-index-waiters.ts',
    find: 'const ready = this.#granted.filter((g) => g.slot <= appliedUpTo)\n    this.#granted = this.#granted.filter((g) => g.slot > appliedUpTo)',
    replace: 'const ready = this.#granted\n    this.#granted = []',
  },
  {
    name: 'a read joins the request for a read index that is on its way',
    isRare: true,
    file: 'host/requests/read-index-waiters.ts',
    find: '    if (this.#admits(settle)) this.#gathering.push({ deadlineMs, settle, signal })',
    replace:
      '    if (!this.#admits(settle)) return\n    const asked = this.#asked.get(this.#lastToken)\n    if (asked === undefined) this.#gathering.push({ deadlineMs, settle, signal })\n    else this.#asked.set(this.#lastToken, [...asked, { deadlineMs, settle, signal }])',
  },
  {
    name: "the node's own session acknowledges what is not answered yet",
    isRare: true,
    file: 'host/requests/session-desk.ts',
    find: 'const firstUnacknowledged = open.values().next().value ?? requestNumber',
    replace: 'const firstUnacknowledged = requestNumber',
  },
  {
    name: 'a peer is asked for a page of the log that is not durable here',
    file: 'host/log-server.ts',
    find: "outlet.send(to, { kind: 'catchUpReply', entries, decidedUpTo, compactedUpTo, hasMore })",
    replace: "outlet.send(to, { kind: 'catchUpReply', entries, decidedUpTo: toSlot + 1, compactedUpTo, hasMore })",
  },
]

/** Deliberate bugs in the admission of peers. */
export const TRANSPORT_MUTATIONS: readonly Mutation[] = [
  {
    name: 'nobody is let in before there is a cluster',
    isRare: true,
    favours: strikes('crash', 'crashOfAll', 'restartOfAll'),
    file: 'host/admission.ts',
    find: 'const admission = cluster && judge(caller, cluster)',
    replace: "const admission = cluster ? judge(caller, cluster) : caller.clusterId === '' ? undefined : 'joinOnly'",
  },
  {
    name: 'the message codec loses which slots a promise calls decided',
    isRare: true,
    file: 'protocol/peer-messages.ts',
    find: "const decidedUpTo = slotOrNone(m.decidedUpTo, 'promise.decided_up_to')",
    replace: 'const decidedUpTo = 0',
    favours: ({ encodesMessages }) => encodesMessages,
  },
]
