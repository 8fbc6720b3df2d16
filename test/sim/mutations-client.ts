import { type Mutation, strikes } from './mutant.js'

const failsOver = strikes('crash', 'crashMidStep', 'crashInWrite', 'leaderIsolation', 'symmetricPartition', 'pause')

/** Deliberate bugs of the SDK's session in src/client, and of the node's half of its stream in src/server. */
export const CLIENT_MUTATIONS: readonly Mutation[] = [
  {
    name: 'a retry gets a new number',
    favours: failsOver,
    file: 'client/outstanding.ts',
    find: 'if (call.requestNumber === 0) {',
    replace: 'if (call.requestNumber === 0 || !call.isQuery) {',
  },
  {
    name: 'the session acknowledges what is not answered yet',
    favours: (plan) => failsOver(plan) && plan.habits.outstandingMax > 1,
    file: 'client/outstanding.ts',
    find: 'for (const number of this.#commands.keys()) return number\n    return this.#nextCommandNumber',
    replace: 'let last = this.#nextCommandNumber\n    for (const number of this.#commands.keys()) last = number\n    return last',
  },
  {
    name: 'a command that was sent once is told not to be carried out when its time is up',
    favours: ({ habits }) => habits.hurryRate > 0,
    file: 'client/call-errors.ts',
    find: 'call.unresolvedSends > 0 && !call.isQuery',
    replace: 'call.unresolvedSends > 1 && !call.isQuery',
  },
  {
    name: 'what may have happened in a session that expired is asked for again in the next one',
    favours: ({ limits }) => limits.sessionCountMax < 20,
    file: 'client/session.ts',
    find: 'if (call.unresolvedSends > 0) return call.reject(outcomeUnknown(',
    replace: 'if (call.unresolvedSends > 9) return call.reject(outcomeUnknown(',
  },
  {
    name: 'a session stream answers queries from the state as it stands',
    favours: ({ habits }) => habits.readRate >= 0.3,
    file: 'server/query-runner.ts',
    find: 'await this.#context.member.readIndex(this.#wait)',
    replace: 'await Promise.resolve()',
  },
]
