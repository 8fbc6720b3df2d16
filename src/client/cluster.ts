import { Metadata, type ServiceError } from '@grpc/grpc-js'
import { ClusterServiceClient, type ListMembersResponse, type StatusResponse } from '../gen/synod/cluster/v1/cluster.js'
import type { Answered } from './caller.js'
import { errorOfService, type SynodError } from './errors.js'
import { type CallOptions, checkCount, type Settings } from './options.js'
import { CHANNEL_OPTIONS } from './stream.js'

/** How one node is, or why it could not be asked. */
export type NodeStatus =
  | { readonly endpoint: string; readonly status: Answered<StatusResponse>; readonly error?: undefined }
  | { readonly endpoint: string; readonly status?: undefined; readonly error: SynodError }

type Send<T> = (
  client: ClusterServiceClient,
  metadata: Metadata,
  options: { deadline: number },
  callback: (error: ServiceError | null, response: T) => void,
) => void

const listMembers: Send<ListMembersResponse> = (client, ...rest) => client.listMembers({}, ...rest)

/** What the cluster is made of and how each node is. Asks nodes one by one, beside the session. */
export class Cluster {
  readonly #settings: Settings

  constructor(settings: Settings) {
    this.#settings = settings
  }

  /** Asks every endpoint at once; never rejects for one that does not answer within the time given. */
  status(options?: CallOptions): Promise<NodeStatus[]> {
    return Promise.all(
      this.#settings.endpoints.map(async (endpoint): Promise<NodeStatus> => {
        try {
          const status = await this.#ask<StatusResponse>(endpoint, options, (client, ...rest) => client.status({}, ...rest))
          return { endpoint, status }
        } catch (error) {
          return { endpoint, error: error as SynodError }
        }
      }),
    )
  }

  /** The members, from the first endpoint that answers. @throws SynodError of the last one when none does. */
  async listMembers(options?: CallOptions): Promise<Answered<ListMembersResponse, 'membership'>> {
    let failure: unknown
    for (const endpoint of this.#settings.endpoints) {
      try {
        return (await this.#ask(endpoint, options, listMembers)) as Answered<ListMembersResponse, 'membership'>
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }

  #ask<T extends { header: unknown }>(endpoint: string, options: CallOptions | undefined, send: Send<T>): Promise<Answered<T>> {
    const timeoutMs = checkCount('timeoutMs', options?.timeoutMs ?? this.#settings.timeoutMs)
    const client = new ClusterServiceClient(endpoint, this.#settings.credentials, CHANNEL_OPTIONS)
    return new Promise((resolve, reject) => {
      send(client, new Metadata(), { deadline: Date.now() + timeoutMs }, (error, response) => {
        client.close()
        if (error === null) resolve(response as Answered<T>)
        else reject(errorOfService(error))
      })
    })
  }
}
