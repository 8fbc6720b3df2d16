import type { Consistency } from '../gen/synod/common/v1/common.js'
import {
  type DeleteResponse,
  GetRequest,
  type GetResponse,
  type KeyValuePair,
  ListRequest,
  type ListResponse,
  type PutResponse,
  type TxnResponse,
} from '../gen/synod/kv/v1/kv.js'
import { checkArguments, isPlainObject } from './arguments.js'
import type { Answered, Caller } from './caller.js'
import type { CallOptions } from './client-options.js'
import { pagesFrom } from './pages.js'
import {
  type Bytes,
  type DeleteTarget,
  deleteRequest,
  type OperationOutput,
  operationOutput,
  putRequest,
  type TxnInput,
  txnRequest,
} from './request-inputs.js'

/** A TxnResponse whose responses stand under their operations' names. */
export type TxnOutput = Omit<Answered<TxnResponse>, 'responses'> & { readonly responses: readonly OperationOutput[] }

/** The consistency of the read; LINEARIZABLE by default. */
export interface ReadOptions extends CallOptions {
  readonly consistency?: Consistency
}

export interface WriteOptions extends CallOptions {
  /** Returns the previous value, too. */
  readonly returnPrevious?: boolean
  /** Makes a repeated *call* safe, beyond the retries that the SDK does by itself; see PutRequest. */
  readonly requestId?: string
}

/** Keys and values. Every method rejects with a SynodError. */
export class KeyValueStore {
  readonly #caller: Caller

  constructor(caller: Caller) {
    this.#caller = caller
  }

  /** Sets one key: 1 to 4,096 bytes of UTF-8, with a value of at most 1 MiB. */
  put(key: string, value: Bytes, options: WriteOptions = {}): Promise<Answered<PutResponse>> {
    return this.#caller.command('put', putRequest, { key, value, ...options }, options)
  }

  /** Reads one key; `pair` is undefined when there is none. */
  get(key: string, options: ReadOptions = {}): Promise<Answered<GetResponse>> {
    return this.#caller.query('get', (input) => GetRequest.fromPartial(input), { key, ...options }, options)
  }

  /** Deletes one key, or all that begin with a prefix: `delete({ prefix: 'user/' })`; or every key: `delete({ all: true })`. */
  delete(target: string | DeleteTarget, options: WriteOptions = {}): Promise<Answered<DeleteResponse>> {
    const chosen = typeof target === 'string' ? { key: target } : target
    // Anything else would lose what it is in a copy.
    const input = isPlainObject(chosen ?? {}) ? { ...chosen, ...options } : chosen
    return this.#caller.command('delete', deleteRequest, input, options)
  }

  /** One page of keys by prefix, or from `start` (inclusive) to `end` (exclusive), ordered by their UTF-8 bytes. */
  list(request: Partial<ListRequest> = {}, options: CallOptions = {}): Promise<Answered<ListResponse>> {
    return this.#caller.query('list', (input) => ListRequest.fromPartial(input), request, options)
  }

  /** Every pair of a listing, page after page; `limit` is the size of a page. Each page is read as of its own moment. */
  async *listAll(request: Partial<ListRequest> = {}, options: CallOptions = {}): AsyncGenerator<KeyValuePair> {
    checkArguments('list', request)
    const pages = pagesFrom(request.pageToken, (pageToken) => this.list({ ...request, pageToken }, options))
    for await (const { pairs } of pages) yield* pairs
  }

  /** Compares, then carries out one of two lists of operations, on keys and on the bank, all or nothing. */
  async txn(input: TxnInput, options: CallOptions = {}): Promise<TxnOutput> {
    const response = await this.#caller.command('txn', txnRequest, input, options)
    return { ...response, responses: response.responses.map(operationOutput) }
  }
}
