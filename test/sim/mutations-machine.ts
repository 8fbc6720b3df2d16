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
    name: 'a retry is told the slot of the retry',
    file: 'machine/sessions.ts',
    find: "return { kind: 'result', slot: known.slot, result: known.result }",
    replace: "return { kind: 'result', slot: at.slot, result: known.result }",
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
    find: '    this.#changed.add(session.clientId)\n    if (this.#shortestIdle === session) return\n',
    replace: '    if (this.#shortestIdle === session) return\n    this.#changed.add(session.clientId)\n',
  },
  {
    name: 'client ids begin anew after a restart',
    file: 'machine/sessions.ts',
    find: 'this.#lastClientId = lastClientId',
    replace: 'this.#lastClientId = Math.min(lastClientId, 1)',
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
    find: '    else this.#rows.set(key, row)\n    this.#changed.add(key)\n',
    replace: '    else {\n      if (!this.#rows.has(key)) this.#changed.add(key)\n      this.#rows.set(key, row)\n    }\n',
  },
  {
    name: 'the revision of the keys is not restored',
    file: 'wire/bank-and-keys.ts',
    find: '          keys.revision.set(counters.revision)\n',
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
]
