import { type ClientUnaryCall, connectivityState, Metadata, type ServiceError } from '@grpc/grpc-js'
import {
  addressedMemberViolations,
  consistencyViolations,
  memberViolations,
  setQuotaViolations,
  transferLeadershipViolations,
} from '../api/validate-cluster.js'
import {
  type AddMemberRequest,
  type AddMemberResponse,
  type CheckpointResponse,
  ClusterServiceClient,
  type GetQuotaResponse,
  type ListMembersResponse,
  type PromoteMemberResponse,
  type RemoveMemberResponse,
  type SetQuotaResponse,
  type StatusResponse,
  type TransferLeadershipResponse,
  type UpdateMemberRequest,
  type UpdateMemberResponse,
  type UpgradeResponse,
} from '../gen/synod/cluster/v1/cluster.js'
import { Consistency } from '../gen/synod/common/v1/common.js'
import { type ArgumentsOf, checkArguments, checkOptions } from './arguments.js'
import type { Answered } from './caller.js'
import { type CallOptions, checkCount, type Settings } from './client-options.js'
import { failingOver } from './fail-over.js'
import type { ReadOptions } from './kv-client.js'
import { CHANNEL_OPTIONS } from './stream.js'
import { errorOfService, refuse, SynodError } from './synod-error.js'

/** The status of one node, or the reason why it could not be asked. */
export type NodeStatus =
  | { readonly endpoint: string; readonly status: Answered<StatusResponse>; readonly error?: undefined }
  | { readonly endpoint: string; readonly status?: undefined; readonly error: SynodError }

type Send<T> = (
  client: ClusterServiceClient,
  metadata: Metadata,
  options: { deadline: number },
  callback: (error: ServiceError | null, response: T) => void,
) => ClientUnaryCall

const askStatus: Send<StatusResponse> = (client, ...rest) => client.status({}, ...rest)
const listMembers: Send<ListMembersResponse> = (client, ...rest) => client.listMembers({}, ...rest)

/** An endpoint that has not let us connect by then is given up: packets to a machine that is gone are lost without a word. */
const CONNECT_MS_MAX = 2_000

/**
 * Administers the members of a cluster and reads the status of each node. Calls go to one node after the other, outside of the
 * session; any node will do, except for `status`. A change of the membership is answered once it is in force and a majority of the
 * new voters has that on disk: from then on whoever it has removed may be switched off. It may safely be asked for again.
 */
export class Cluster {
  readonly #settings: Settings

  constructor(settings: Settings) {
    this.#settings = settings
  }

  /** Asks every endpoint at once; never rejects for one that does not answer within the time given. */
  async status(options?: CallOptions): Promise<NodeStatus[]> {
    checkOptions('timeout', options)
    const timeoutMs = this.#timeoutOf(options)
    return Promise.all(
      this.#settings.endpoints.map(async (endpoint): Promise<NodeStatus> => {
        try {
          return { endpoint, status: await this.#ask(endpoint, timeoutMs, askStatus) }
        } catch (error) {
          return { endpoint, error: error as SynodError }
        }
      }),
    )
  }

  /** The members, from the first endpoint that answers. @throws SynodError of the last one when none does. */
  async listMembers(options?: CallOptions): Promise<Answered<ListMembersResponse, 'membership'>> {
    checkOptions('timeout', options)
    const timeoutMs = this.#timeoutOf(options)
    let failure: unknown
    for (const endpoint of this.#settings.endpoints) {
      try {
        return (await this.#ask(endpoint, timeoutMs, listMembers)) as Answered<ListMembersResponse, 'membership'>
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }

  /** Lets a new member in as a learner: start it with --join. @throws SynodError, NODE_ID_USED for one */
  async addMember(member: AddMemberRequest, options?: CallOptions): Promise<Answered<AddMemberResponse, 'membership'>> {
    check('addMember', member, options)
    refuse(addressedMemberViolations(member))
    return this.#change<AddMemberResponse>(options, (client, ...rest) => client.addMember(member, ...rest))
  }

  /** Has a learner vote. @throws SynodError, NOT_CAUGHT_UP for one */
  async promoteMember(nodeId: number, options?: CallOptions): Promise<Answered<PromoteMemberResponse, 'membership'>> {
    check('nodeId', { nodeId }, options)
    refuse(memberViolations({ nodeId }))
    return this.#change<PromoteMemberResponse>(options, (client, ...rest) => client.promoteMember({ nodeId }, ...rest))
  }

  /** Removes a member for good: its number is never used again. @throws SynodError, QUORUM_AT_RISK for one */
  async removeMember(nodeId: number, options?: CallOptions): Promise<Answered<RemoveMemberResponse, 'membership'>> {
    check('nodeId', { nodeId }, options)
    refuse(memberViolations({ nodeId }))
    return this.#change<RemoveMemberResponse>(options, (client, ...rest) => client.removeMember({ nodeId }, ...rest))
  }

  /** The member is reached at other addresses from now on. @throws SynodError, ADDRESS_USED for one */
  async updateMember(member: UpdateMemberRequest, options?: CallOptions): Promise<Answered<UpdateMemberResponse, 'membership'>> {
    check('updateMember', member, options)
    refuse(addressedMemberViolations(member))
    return this.#change<UpdateMemberResponse>(options, (client, ...rest) => client.updateMember(member, ...rest))
  }

  /** Has the leader hand over to a voter, or without one to whichever it likes. Gives who leads then. */
  async transferLeadership(nodeId = 0, options?: CallOptions): Promise<Answered<TransferLeadershipResponse>> {
    check('nodeId', { nodeId }, options)
    refuse(transferLeadershipViolations({ nodeId }))
    return this.#failOver<TransferLeadershipResponse>(options, (client, ...rest) =>
      client.transferLeadership({ nodeId }, ...rest),
    )
  }

  /** Reads the size of the replicated state and its quota, in bytes of memory; `quotaBytes` 0 means no quota. @throws SynodError */
  async getQuota(options?: ReadOptions): Promise<Answered<GetQuotaResponse>> {
    checkOptions('read', options)
    const consistency = options?.consistency ?? Consistency.UNSPECIFIED
    return this.#failOver<GetQuotaResponse>(options, (client, ...rest) => client.getQuota({ consistency }, ...rest))
  }

  /**
   * Sets how large the replicated state may grow, in bytes of memory, 1 to 2^53 - 1: for every node must have memory for it. Below what it
   * takes now, it only may not grow. @throws SynodError
   */
  async setQuota(quotaBytes: number, options?: CallOptions): Promise<Answered<SetQuotaResponse>> {
    check('setQuota', { quotaBytes }, options)
    refuse(setQuotaViolations({ quotaBytes }))
    return this.#failOver<SetQuotaResponse>(options, (client, ...rest) => client.setQuota({ quotaBytes }, ...rest))
  }

  /**
   * Raises the level of the log, for good: which operations, fields and bounds there are. 0: to the highest that every member's binary knows.
   * Gives the level in force; one that is in force already, or a lower one, changes nothing. @throws SynodError, LEVEL_UNKNOWN_TO_MEMBER for one
   */
  async upgrade(level = 0, options?: CallOptions): Promise<Answered<UpgradeResponse>> {
    check('upgrade', { level }, options)
    return this.#failOver<UpgradeResponse>(options, (client, ...rest) => client.upgrade({ level }, ...rest))
  }

  /**
   * The bytes of a backup file, from the first endpoint that answers; `timeoutMs` bounds the wait for each piece of it, not the whole.
   * Rejects when it breaks off: what has come is of no use then. With CONSISTENCY_STALE it is what that node knows, and needs no majority.
   */
  async *backup(options?: ReadOptions): AsyncGenerator<Uint8Array> {
    checkOptions('read', options)
    refuse(consistencyViolations({ consistency: options?.consistency ?? Consistency.UNSPECIFIED }))
    const timeoutMs = this.#timeoutOf(options)
    let failure: unknown
    for (const endpoint of this.#settings.endpoints) {
      let hasBegun = false
      try {
        for await (const bytes of this.#backupFrom(endpoint, timeoutMs, options?.consistency ?? Consistency.UNSPECIFIED)) {
          hasBegun = true
          yield bytes
        }
        return
      } catch (error) {
        if (hasBegun) throw error
        failure = error
      }
    }
    throw failure
  }

  async *#backupFrom(endpoint: string, timeoutMs: number, consistency: Consistency): AsyncGenerator<Uint8Array> {
    const client = this.#connect(endpoint)
    const call = client.checkpoint({ consistency })
    let timer: NodeJS.Timeout | undefined
    let isLate = false
    const expectMore = (): void => {
      clearTimeout(timer)
      timer = setTimeout(() => {
        isLate = true
        call.cancel()
      }, timeoutMs)
    }
    try {
      expectMore()
      for await (const { data } of call as AsyncIterable<CheckpointResponse>) {
        clearTimeout(timer) // whoever writes the file down may take its time
        yield data
        expectMore()
      }
    } catch (error) {
      if (isLate)
        throw new SynodError('DEADLINE_EXCEEDED', 'DEADLINE_EXCEEDED', `nothing came from ${endpoint} for ${timeoutMs} ms`)
      throw errorOfService(error as ServiceError)
    } finally {
      clearTimeout(timer)
      call.cancel()
      client.close()
    }
  }

  #change<T extends { header: unknown; membership: unknown }>(
    options: CallOptions | undefined,
    send: Send<T>,
  ): Promise<Answered<T, 'membership' & keyof T>> {
    return this.#failOver(options, send) as Promise<Answered<T, 'membership' & keyof T>>
  }

  #failOver<T extends { header: unknown }>(options: CallOptions | undefined, send: Send<T>): Promise<Answered<T>> {
    const { endpoints } = this.#settings
    return failingOver(endpoints, this.#timeoutOf(options), (endpoint, leftMs) => this.#ask(endpoint, leftMs, send))
  }

  #timeoutOf(options: CallOptions | undefined): number {
    return checkCount('timeoutMs', options?.timeoutMs ?? this.#settings.timeoutMs)
  }

  #connect(endpoint: string): ClusterServiceClient {
    return new ClusterServiceClient(endpoint, this.#settings.credentials, CHANNEL_OPTIONS)
  }

  #ask<T extends { header: unknown }>(endpoint: string, timeoutMs: number, send: Send<T>): Promise<Answered<T>> {
    const client = this.#connect(endpoint)
    return new Promise((resolve, reject) => {
      let isUnreachable = false
      const call = send(client, new Metadata(), { deadline: Date.now() + timeoutMs }, (error, response) => {
        clearTimeout(timer)
        client.close()
        if (error === null) resolve(response as Answered<T>)
        else reject(isUnreachable ? unreachable(endpoint, error) : errorOfService(error))
      })
      const timer = setTimeout(() => {
        isUnreachable = client.getChannel().getConnectivityState(false) !== connectivityState.READY
        if (isUnreachable) call.cancel()
      }, CONNECT_MS_MAX)
    })
  }
}

function unreachable(endpoint: string, cause: ServiceError): SynodError {
  return new SynodError('UNAVAILABLE', 'UNREACHABLE', `${endpoint} cannot be reached`, { cause })
}

/** @throws SynodError INVALID_ARGUMENT */
function check(method: ArgumentsOf, given: unknown, options: unknown): void {
  checkOptions('timeout', options)
  checkArguments(method, given)
}
