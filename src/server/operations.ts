import { validateCommand, validateQuery } from '../api/validate.js'
import { withWords } from '../api/words.js'
import { encode } from '../encoding/encode.js'
import { Consistency, type ResponseHeader } from '../gen/synod/common/v1/common.js'
import { Command, type Query, Result } from '../gen/synod/session/v1/session.js'
import type { MemberApi } from '../host/api.js'
import { assert } from '../paxos/assert.js'
import type { NodeId, Slot } from '../paxos/types.js'
import { invalidArgument, refused } from './errors.js'
import { requireJoined } from './joined.js'
import type { CallContext } from './unary.js'

/** What the services need of the state machine on this node: a read of its current state. */
export interface LocalReads {
  /** The values in the result are the state's own: not to be changed. */
  read(query: Query): Result
}

type Operation = NonNullable<Command['operation']>
type ReadOperation = NonNullable<Query['query']>
type Outcome = NonNullable<Result['outcome']>

/** What changes the state, by the name of its command. */
type WriteCase = Exclude<Operation['$case'], 'query'>
type ReadCase = ReadOperation['$case']

type RequestOf<Case extends WriteCase | ReadCase> = Extract<Operation | ReadOperation, { $case: Case }>['value']

/** Results bear the names of the commands and queries that they answer. */
type ResponseTo<Case extends WriteCase | ReadCase> = Extract<Outcome, { $case: Case }>['value']

/** Carries typed requests out, through the log or beside it. */
export class Operations {
  readonly #member: MemberApi
  readonly #machine: LocalReads
  readonly #nodeId: NodeId
  #clusterId = ''

  constructor(member: MemberApi, machine: LocalReads) {
    this.#member = member
    this.#machine = machine
    this.#nodeId = member.status().nodeId
  }

  /** Through the log, exactly once. @throws CallError when it is invalid or the state machine refuses it; MemberError */
  async write<Case extends WriteCase>(
    operationCase: Case,
    request: RequestOf<Case>,
    context: CallContext,
  ): Promise<ResponseTo<Case>> {
    const command: Command = { operation: { $case: operationCase, value: request } as Operation }
    const violations = validateCommand(command)
    if (violations.length > 0) throw invalidArgument(violations)
    requireJoined(this.#member, { mayWait: true })
    return this.#throughLog(command, operationCase, context)
  }

  /** As fresh as the request asks. @throws CallError when it is invalid or the state machine refuses it; MemberError */
  async read<Case extends ReadCase>(queryCase: Case, request: RequestOf<Case>, context: CallContext): Promise<ResponseTo<Case>> {
    const query: Query = { query: { $case: queryCase, value: request } as ReadOperation }
    const violations = validateQuery(query)
    if (violations.length > 0) throw invalidArgument(violations)
    requireJoined(this.#member, { mayWait: request.consistency !== Consistency.STALE })
    if (request.consistency === Consistency.LOG) {
      return this.#throughLog({ operation: { $case: 'query', value: query } }, queryCase, context)
    }
    if (request.consistency === Consistency.STALE) await this.#member.untilReadable(context)
    else await this.#member.readIndex(context)
    // From here on in one turn of the event loop: no slot is applied between the two.
    const slot = this.#member.status().appliedUpTo
    return this.#responseIn(
      this.#member.reading(() => this.#machine.read(query)),
      queryCase,
      slot,
    )
  }

  /** Says where and as of when an answer is true. */
  header(slot: Slot): ResponseHeader {
    // The genesis never changes once there is one.
    if (this.#clusterId === '') this.#clusterId = this.#member.status().genesis?.clusterId ?? ''
    return { clusterId: this.#clusterId, nodeId: this.#nodeId, slot }
  }

  async #throughLog<Case extends WriteCase | ReadCase>(
    command: Command,
    expected: Case,
    context: CallContext,
  ): Promise<ResponseTo<Case>> {
    const { slot, result } = await this.#member.invoke(encode(Command, command), context)
    return this.#responseIn(Result.decode(result), expected, slot)
  }

  /** The response in a result, with its header: of a repeat, the first one's. */
  #responseIn<Case extends WriteCase | ReadCase>(result: Result, expected: Case, answeredAt: Slot): ResponseTo<Case> {
    const { outcome } = withWords(result)
    const slot = result.slot || answeredAt
    if (outcome?.$case === 'refusal') throw refused(outcome.value, slot)
    assert(outcome?.$case === expected, `a ${expected} comes to its own kind of result, not to ${outcome?.$case}`)
    return { ...outcome.value, header: this.header(slot) } as ResponseTo<Case>
  }
}
