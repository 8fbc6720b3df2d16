import { objectionToCommand, objectionToQuery } from '../api/validate.js'
import type { OperationName } from '../app/operation.js'
import { encode } from '../encoding/encode.js'
import { Consistency, type ResponseHeader } from '../gen/synod/common/v1/common.js'
import { Command, type Query, Result } from '../gen/synod/session/v1/session.js'
import type { MemberApi } from '../host/api.js'
import type { NodeId, Slot } from '../paxos/types.js'
import type { CallContext } from './call-context.js'
import { objected } from './call-error.js'
import { requireJoined } from './joined.js'
import { HeaderEncoder, responseIn } from './response-bytes.js'

/** The part of this node's state machine that the services need: a read of its current state. */
export interface LocalReads {
  /** The values in the result are the state's own: not to be changed. */
  read(query: Query): Result
}

type WireCommand = NonNullable<Command['operation']>
type WireQuery = NonNullable<Query['query']>

/** A request as generated code decodes it. */
export type AnyRequest = Exclude<WireCommand, { $case: 'query' }>['value'] | WireQuery['value']

/** Carries requests out, through the log or beside it, and gives the bytes of their responses. */
export class Operations {
  readonly #member: MemberApi
  readonly #machine: LocalReads
  readonly #nodeId: NodeId
  #clusterId = ''
  #headers: HeaderEncoder

  constructor(member: MemberApi, machine: LocalReads) {
    this.#member = member
    this.#machine = machine
    this.#nodeId = member.status().nodeId
    this.#headers = new HeaderEncoder('', this.#nodeId)
  }

  /** Through the log, exactly once. @throws CallError when it is invalid or the state machine refuses it; MemberError */
  async write($case: OperationName, request: AnyRequest, context: CallContext): Promise<Uint8Array> {
    const command: Command = { operation: { $case, value: request } as WireCommand }
    const objection = objectionToCommand(command, this.#member.level)
    if (objection !== undefined) throw objected(objection)
    requireJoined(this.#member, { mayWait: true })
    return this.#throughLog(command, $case, context)
  }

  /** As fresh as the request asks. @throws CallError when it is invalid or the state machine refuses it; MemberError */
  async read($case: OperationName, request: AnyRequest, context: CallContext): Promise<Uint8Array> {
    const query: Query = { query: { $case, value: request } as WireQuery }
    const objection = objectionToQuery(query, this.#member.level)
    if (objection !== undefined) throw objected(objection)
    const consistency = 'consistency' in request ? request.consistency : Consistency.UNSPECIFIED
    requireJoined(this.#member, { mayWait: consistency !== Consistency.STALE })
    if (consistency === Consistency.LOG) {
      return this.#throughLog({ operation: { $case: 'query', value: query } }, $case, context)
    }
    if (consistency === Consistency.STALE) await this.#member.untilReadable(context.wait())
    else await this.#member.readIndex(context.wait())
    // The rest runs in one turn of the event loop: no slot is applied between the slot's number and the read.
    const slot = this.#member.status().appliedUpTo
    const result = this.#member.reading(() => this.#machine.read(query))
    return responseIn(encode(Result, result), $case, { answeredAt: slot, headers: this.#headersNow() })
  }

  /** Says where and as of when an answer is true. */
  header(slot: Slot): ResponseHeader {
    this.#headersNow()
    return { clusterId: this.#clusterId, nodeId: this.#nodeId, slot }
  }

  async #throughLog(command: Command, expected: OperationName, context: CallContext): Promise<Uint8Array> {
    const { slot, result } = await this.#member.invoke(encode(Command, command), context.wait())
    // The result of a repeated command names the slot of the first one.
    return responseIn(result, expected, { answeredAt: slot, headers: this.#headersNow() })
  }

  /** The genesis, and the cluster's id with it, never changes once there is one. */
  #headersNow(): HeaderEncoder {
    if (this.#clusterId !== '') return this.#headers
    this.#clusterId = this.#member.status().genesis?.clusterId ?? ''
    if (this.#clusterId !== '') this.#headers = new HeaderEncoder(this.#clusterId, this.#nodeId)
    return this.#headers
  }
}
