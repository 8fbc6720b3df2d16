/** What is measured, by one name in every table, plot and JSON file. */
export type RivalName = 'synod' | 'etcd' | 'etcd-newest' | 'echo' | 'memory' | 'disk'

/** A process whose processor time and memory are counted. */
export interface MeasuredProcess {
  /** `n1`, `e2`, `client`. */
  readonly name: string
  /** Undefined while it is down. */
  readonly pid: () => number | undefined
}

/** How the client reaches it. unary: one grpc-js call an operation. sdk: Synod's typed client, all on one stream. */
export type ClientKind = 'unary' | 'sdk'

/** Started, warmed, measured in turn with its rivals, and gone without a trace. */
export interface Rival {
  readonly name: RivalName
  /** For people: 'etcd 3.4.23', 'Synod, 3 nodes'. */
  readonly title: string
  readonly processes: readonly MeasuredProcess[]
  start(): Promise<void>
  /** Kills every process and removes what it wrote. */
  stop(): Promise<void>
}

/** Keys, from one connected client. Every method rejects on any failure: the load generator counts those. */
export interface KeyClient {
  put(key: string, value: Uint8Array): Promise<unknown>
  /** Linearizable. */
  get(key: string): Promise<unknown>
  close(): void
}

/** Money, from one connected client. Accounts are there before. */
export interface BankClient {
  /** Resolves when it was carried out or refused for want of money; optimistic rivals retry until one of both. */
  transfer(from: string, to: string, amount: bigint): Promise<unknown>
  /** Linearizable. */
  balance(account: string): Promise<unknown>
  close(): void
}

/** One operation, begun by the load generator; `n` counts up from 0. */
export type Operation = (n: number) => Promise<unknown>

/** Latencies in ms. */
export interface Latencies {
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly max: number
  readonly mean: number
}

/** What one turn of one rival came to. */
export interface Measurement {
  /** Operations that ended well, per second of the measured time. */
  readonly throughput: number
  readonly count: number
  readonly failed: number
  /** What the first of those that failed said. */
  readonly firstFailure?: string | undefined
  /** As each operation was begun; under an open loop from when it was due, which corrects for coordinated omission. */
  readonly latency: Latencies
  /** Processor seconds per 1,000 operations, by process. */
  readonly cpuPerThousand: Readonly<Record<string, number>>
  /** Bytes, by process: the most that was resident so far (VmHWM). */
  readonly peakMemory: Readonly<Record<string, number>>
}

/** A rival that keeps keys. */
export interface KeyRival extends Rival {
  keyClient(kind: ClientKind): KeyClient
  /** Puts `keyOf(0)` to `keyOf(count - 1)`, with values of so many bytes. */
  putKeys(count: number, bytes: number): Promise<void>
}

/** A rival that keeps accounts. */
export interface BankRival extends Rival {
  bankClient(kind: ClientKind): BankClient
  /** Sees to it that there are accounts `accountOf(0)` to `accountOf(count - 1)`; the new ones can pay so much. */
  openAccounts(count: number, funds: bigint): Promise<void>
}
