/**
 * The SDK.
 *
 *   import { connect } from 'synod/client'
 *
 *   const client = connect({ endpoints: '127.0.0.1:7101,127.0.0.1:7102,127.0.0.1:7103' })
 *   await client.kv.put('greeting', 'hello')
 *   const { account } = await client.bank.getBalance('alice')
 *   client.close()
 */
import { REAL_RUNTIME } from '../host/runtime.js'
import { BankClient } from './bank-client.js'
import { Caller } from './caller.js'
import { type ConnectOptions, settingsOf } from './client-options.js'
import { ClientSessions } from './client-sessions.js'
import { Cluster } from './cluster-client.js'
import { KeyValueStore } from './kv-client.js'
import { GrpcPort } from './stream.js'

/** A client of the cluster. Whatever it is asked happens once, though it retries and fails over by itself. */
export interface Client {
  readonly kv: KeyValueStore
  readonly bank: BankClient
  readonly cluster: Cluster
  /** Lets the cluster go. What is under way rejects: with OUTCOME_UNKNOWN if it was sent, else with CLIENT_CLOSED. */
  close(): void
}

/**
 * A client for the endpoints given. It connects at the first call, and holds one stream to one node at a time; reads alone open no session.
 * @throws SynodError INVALID_ARGUMENT for an option out of its bounds.
 */
export function connect(options: ConnectOptions): Client {
  const settings = settingsOf(options)
  const sessions = new ClientSessions(settings, { runtime: REAL_RUNTIME, port: new GrpcPort(settings) })
  const caller = new Caller(sessions, settings.timeoutMs)
  return {
    kv: new KeyValueStore(caller),
    bank: new BankClient(caller),
    cluster: new Cluster(settings),
    close: () => sessions.close(),
  }
}

export {
  type Account,
  type LinkedGroup,
  type Movement,
  MovementKind,
  MovementStatus,
  type TransferResult,
} from '../gen/synod/bank/v1/bank.js'
export { type Membership, NodeRole, type StatusResponse } from '../gen/synod/cluster/v1/cluster.js'
export { Consistency, Order, type ResponseHeader } from '../gen/synod/common/v1/common.js'
export { CompareOperator, type KeyValuePair } from '../gen/synod/kv/v1/kv.js'
export {
  type Authority,
  generateKeyPair,
  type KeyPair,
  makeAuthority,
  signDeposit,
  signRegisterAuthority,
  signRevokeAuthority,
} from './authority-signing.js'
export type { BankClient } from './bank-client.js'
export type { Answered } from './caller.js'
export type { CallOptions, ConnectOptions } from './client-options.js'
export type { Cluster, NodeStatus } from './cluster-client.js'
export type { KeyValueStore, ReadOptions, TxnOutput, WriteOptions } from './kv-client.js'
export {
  type CompareInput,
  type DepositInput,
  type OpenAccountInput,
  type OperationInput,
  type OperationOutput,
  type TransferBatchInput,
  type TransferInput,
  type TxnInput,
  toText,
} from './request-inputs.js'
export { type ErrorCode, SynodError } from './synod-error.js'
