import { validateCommand, validateQuery } from '../api/validate.js'
import { Consistency, type ResponseHeader } from '../gen/synod/common/v1/common.js'
import { checkArguments, checkOptions, hasArguments } from './arguments.js'
import {
  type Call,
  type CallSink,
  type CommandOperation,
  encodeCommand,
  encodeQuery,
  makeCall,
  type Outcome,
  type OutcomeCase,
  type QueryOperation,
} from './call.js'
import { type CallOptions, checkCount } from './client-options.js'
import { refuse, type SynodError } from './synod-error.js'

/** A response as the SDK gives it: the header is always there, and so are the parts K. */
export type Answered<T, K extends keyof T = never> = Omit<T, 'header' | K> & { header: ResponseHeader } & {
  [P in K]: NonNullable<T[P]>
}

type CommandCase = Exclude<CommandOperation['$case'], 'query'>
type QueryCase = QueryOperation['$case']
type RequestOf<C extends CommandCase> = Extract<CommandOperation, { $case: C }>['value']
type QueryOf<C extends QueryCase> = Extract<QueryOperation, { $case: C }>['value']
/** The response has the type that the operation's name says: the session compares the two. */
type Settle = Call['resolve']
type ResponseOf<C extends OutcomeCase> = Extract<Outcome, { $case: C }>['value']

/** Turns operations into calls of a session: one promise each, settled straight from the answer. */
export class Caller {
  readonly #session: CallSink
  readonly #timeoutMs: number

  constructor(session: CallSink, timeoutMs: number) {
    this.#session = session
    this.#timeoutMs = timeoutMs
  }

  /** Carries a command out exactly once; what `build` throws rejects. `K` are the parts that a success always has. */
  command<C extends CommandCase, I, K extends keyof ResponseOf<C> = never>(
    name: C,
    build: (input: I) => RequestOf<C>,
    input: I,
    options?: CallOptions,
  ): Promise<Answered<ResponseOf<C>, K>> {
    return new Promise((resolve, reject) => {
      check(name, input, options)
      const operation = { $case: name, value: build(input) } as CommandOperation
      refuse(validateCommand({ operation }))
      const value = encodeCommand(operation)
      this.#submit({ $case: 'command', value }, value.length, name, options, resolve as Settle, reject)
    })
  }

  /** Reads. With CONSISTENCY_LOG the query goes through the log, as a command that changes nothing. */
  query<C extends QueryCase, I, K extends keyof ResponseOf<C> = never>(
    name: C,
    build: (input: I) => QueryOf<C>,
    input: I,
    options?: CallOptions,
  ): Promise<Answered<ResponseOf<C>, K>> {
    return new Promise((resolve, reject) => {
      check(name, input, options)
      const query = { $case: name, value: build(input) } as QueryOperation
      refuse(validateQuery({ query }))
      const isLogged = query.value.consistency === Consistency.LOG
      const bytes = isLogged ? encodeCommand({ $case: 'query', value: { query } }) : encodeQuery(query)
      const body: Call['body'] = isLogged ? { $case: 'command', value: bytes } : { $case: 'query', value: { query } }
      this.#submit(body, bytes.length, name, options, resolve as Settle, reject)
    })
  }

  #submit(
    body: Call['body'],
    byteLength: number,
    expected: OutcomeCase,
    options: CallOptions | undefined,
    resolve: Settle,
    reject: (error: SynodError) => void,
  ): void {
    const timeoutMs = checkCount('timeoutMs', options?.timeoutMs ?? this.#timeoutMs)
    this.#session.submit(makeCall({ body, byteLength, expected, timeoutMs, resolve, reject }))
  }
}

/** The operations that take more options than a timeout. */
const OPTIONS: { readonly [Name in CommandCase | QueryCase]?: 'read' | 'write' } = {
  put: 'write',
  delete: 'write',
  get: 'read',
  getBalance: 'read',
  getTransfer: 'read',
}

/** Checks arguments before a request is made of them. @throws SynodError INVALID_ARGUMENT */
function check(name: CommandCase | QueryCase, input: unknown, options: unknown): void {
  checkOptions(OPTIONS[name] ?? 'timeout', options)
  // An operation without a method of its own takes what the wire takes.
  if (hasArguments(name)) checkArguments(name, input)
}
