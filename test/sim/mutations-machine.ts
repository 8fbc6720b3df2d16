import type { Mutation } from './mutant.js'

/** Deliberate bugs of src/machine, and of how its commands and rows are encoded. */
export const MACHINE_MUTATIONS: readonly Mutation[] = [
  {
    name: 'the results of sessions are not in the checkpoint',
    file: 'machine/sessions.ts',
    find: 'results: Array.from(session.results.values())',
    replace: 'results: []',
  },
  {
    name: 'acknowledging forgets one result too many',
    file: 'machine/sessions.ts',
    find: 'number < firstUnacknowledged; number++',
    replace: 'number <= firstUnacknowledged; number++',
  },
  {
    name: 'a retry is carried out again once a later request has been',
    file: 'machine/sessions.ts',
    find: 'if (known !== undefined) return',
    replace: 'if (known !== undefined && session.results.size === 1) return',
  },
  {
    name: 'a session without new results is not in the next checkpoint',
    file: 'machine/sessions.ts',
    find: '    this.#changes.onChange(session)\n    this.#activity++\n',
    replace: '    if (this.#shortestIdle !== session) this.#changes.onChange(session)\n    this.#activity++\n',
  },
  {
    name: 'client ids begin anew after a restart',
    file: 'machine/sessions.ts',
    find: 'this.#lastClientId = counters.lastClientId',
    replace: 'this.#lastClientId = Math.min(counters.lastClientId, 1)',
  },
  {
    name: 'nobody can spend the last cent',
    file: 'machine/bank.ts',
    find: 'source.balance - source.held + source.overdraftLimit < amount',
    replace: 'source.balance - source.held + source.overdraftLimit <= amount',
  },
  {
    name: 'a withdrawal is not counted',
    file: 'machine/bank.ts',
    find: "if (destination === '') this.ledger.count(asset, { withdrawals: amount })\n    else",
    replace: "if (destination !== '')",
  },
  {
    name: 'an overdraft limit of an account is forgotten with its first movement',
    file: 'machine/ledger.ts',
    find: 'overdraftLimit: account.overdraftLimit,',
    replace: 'overdraftLimit: account.balance < 0n ? account.overdraftLimit : 0n,',
  },
  {
    name: 'a row that was in the last checkpoint is not in the next one',
    file: 'machine/table.ts',
    find: '    this.#changes.onChange(place)\n',
    replace: '    if (place.row === undefined) this.#changes.onChange(place)\n',
  },
  {
    name: 'the revision of the keys is not restored',
    file: 'wire/bank-and-keys.ts',
    find: '      keys.revision.set(counters.revision)\n',
    replace: '',
  },
  {
    name: 'a key that does not exist equals anything',
    file: 'machine/kv.ts',
    find: "pair === undefined ? operator === 'notEqual'",
    replace: "pair === undefined ? operator !== 'notEqual'",
  },
  {
    name: 'a transaction whose conditions fail makes a revision',
    file: 'machine/bank-and-keys.ts',
    find: '    const responses: TxnOperationOutcome[] = []\n',
    replace: '    const responses: TxnOperationOutcome[] = []\n    if (!succeeded) this.keys.revision.set(revision)\n',
  },
  // --- holds, groups, ids ---------------------------------------------------------------------------------------------------------
  {
    name: 'holds of a checkpoint do not end by themselves',
    favours: ({ habits, checkpointEverySlots }) => habits.holdRate > 0.3 && checkpointEverySlots <= 20,
    file: 'wire/bank-and-keys.ts',
    find: 'return bank.holds.expiries.load(id, holdCodec.decode(value, id))',
    replace: 'return',
  },
  {
    name: 'a hold ends one millisecond late',
    favours: ({ habits }) => habits.holdRate > 0.5,
    file: 'machine/holds.ts',
    find: 'due.atMs <= nowMs',
    replace: 'due.atMs < nowMs',
  },
  {
    name: 'what is held can be spent again',
    file: 'machine/bank.ts',
    find: 'source.balance - source.held + source.overdraftLimit < amount',
    replace: 'source.balance + source.overdraftLimit < amount',
  },
  {
    name: 'of a hold that is posted in part the rest stays held',
    file: 'machine/holds.ts',
    find: 'held: -movement.pendingAmount })\n    this.#ledger.change(movement.destination',
    replace: 'held: -posted })\n    this.#ledger.change(movement.destination',
  },
  {
    name: 'a group that is taken back is undone in the order in which it was done',
    file: 'machine/table.ts',
    find: 'of undos.toReversed())',
    replace: 'of undos)',
  },
  {
    name: 'what a group deletes is not put back when it is taken back',
    favours: ({ habits }) => habits.txnRate > 0.5,
    file: 'machine/table.ts',
    find: '  delete(key: string): void {\n    if (this.#journal.isOpen) this.#journalRow(key)\n',
    replace: '  delete(key: string): void {\n',
  },
  {
    name: 'a movement that a transaction refused may succeed later',
    file: 'machine/bank-and-keys.ts',
    find: '    this.bank.keepRefused(refusal)\n',
    replace: '',
  },
  {
    name: 'of a linked group that is refused the transfers before the refused one stand',
    file: 'machine/bank.ts',
    find: '        this.#journal.rollback()\n        this.keepRefused(result)\n',
    replace: '        this.#journal.commit()\n        this.keepRefused(result)\n',
  },
  {
    name: 'a movement id with another amount gets the first result',
    favours: ({ habits }) => habits.reuseRate > 0 && habits.movementRate > 0.3,
    file: 'machine/movement.ts',
    find: 'known.pendingAmount === 0n && known.amount === draft.amount',
    replace: 'known.pendingAmount === 0n',
  },
  {
    name: 'a movement id with another timeout gets the first result',
    favours: ({ habits }) => habits.holdRate > 0.3 && habits.reuseRate > 0,
    file: 'machine/movement.ts',
    find: 'known.timeoutMs === draft.timeoutMs &&',
    replace: '',
  },
  {
    name: 'a repeated two-phase transfer is answered with how it ended',
    favours: ({ habits }) => habits.holdRate > 0.3 && habits.reuseRate > 0,
    file: 'machine/movement.ts',
    find: 'refusalOf(known) : asMade(known)',
    replace: 'refusalOf(known) : known',
  },
  {
    name: 'first answers by request id are not in the checkpoint',
    file: 'wire/bank-and-keys.ts',
    find: "      entries('request/', firstAnswerCodec, this.#firstAnswers.takeChanges()),\n",
    replace: '',
  },
  {
    name: 'sessions expire by the local clock',
    file: 'machine/sessions.ts',
    find: '    if (nowMs - this.#lastSweepMs < SWEEP_INTERVAL_MS) return\n    this.#lastSweepMs = nowMs\n',
    replace:
      '    nowMs = Date.now()\n    if (nowMs - this.#lastSweepMs < SWEEP_INTERVAL_MS) return\n    this.#lastSweepMs = nowMs\n',
  },
]
