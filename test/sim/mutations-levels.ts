import { type Mutation, strikes } from './mutant.js'

const favours = strikes('raiseLevel')

/** Deliberate bugs of levels: a change of a level affects the state below it, or a binary continues at a level that it does not know. */
export const LEVEL_MUTATIONS: readonly Mutation[] = [
  {
    name: 'the next version carries its new operation out below the level that brings it',
    favours,
    file: 'sim/cluster/next-machine.ts',
    find: 'level < NEXT_LEVEL ? NO_COMMAND : this.#putOfTouch(touched)',
    replace: 'this.#putOfTouch(touched)',
  },
  {
    name: 'a bound that a level changes counts below it',
    favours,
    file: 'sim/cluster/next-machine.ts',
    find: 'const isAllowed = level >= NEXT_LEVEL',
    replace: 'const isAllowed = true',
  },
  {
    name: 'results say in words why something was refused',
    favours,
    file: 'api/command-codec.ts',
    find: "return { reason, message: '', fieldViolations",
    replace: "return { reason, message: 'refused', fieldViolations",
  },
  {
    name: 'results of a batch hold codes of gRPC',
    favours: (plan) => favours(plan) && plan.habits.batchRate > 0,
    file: 'api/operations/transfer-batch.ts',
    find: "return { code: 0, reason, message: '', movement: undefined",
    replace: "return { code: 9, reason, message: '', movement: undefined",
  },
  {
    name: 'a restored machine is at the first level again',
    favours,
    file: 'replication/sessions.ts',
    find: 'this.#raised = { level, levelVersion }',
    replace: 'this.#raised = { level: LEVEL_MIN, levelVersion }',
  },
  {
    name: 'the level in force is not in the checkpoint',
    favours,
    file: 'host/apply/applier.ts',
    find: '...this.#s.sessions.raised,',
    replace: "level: 1, levelVersion: '',",
  },
  {
    name: 'a level counts as known, however high it is',
    favours,
    file: 'replication/levels.ts',
    find: 'return level >= levelMin && level <= levelMax',
    replace: 'return level >= levelMin',
  },
  {
    name: 'the level of a checkpoint is not looked at when it comes',
    isRare: true,
    favours,
    file: 'host/checkpoint/checkpoint-receiver.ts',
    find: 'this.#s.checkLevel(header)',
    replace: '',
  },
  {
    name: 'the level is raised though a member does not know it',
    favours,
    file: 'host/membership/level-calls.ts',
    find: 'if (lacking.length > 0) return this.#settle(call, unknownTo(lacking))',
    replace: '',
  },
]
