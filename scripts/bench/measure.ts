import { type LoadOptions, type LoadResult, type LoadShape, runLoad } from './load.js'
import { ResourceMeter } from './resources.js'
import type { Context } from './scenario.js'
import type { MeasuredProcess, Measurement, Operation } from './types.js'

export type MeterHooks = Required<Pick<LoadOptions, 'onBegin' | 'onEnd'>>

/**
 * Runs a load, and counts what it costs these processes: `measure(rival.processes, (hooks) => closedLoop(operation, { …, ...hooks }))`.
 * `weight` is how many operations count for one call: the transfers of a batch.
 */
export async function measure(
  processes: readonly MeasuredProcess[],
  load: (hooks: MeterHooks) => Promise<LoadResult>,
  weight = 1,
): Promise<Measurement> {
  const meter = new ResourceMeter(processes)
  const { throughput, count, ...rest } = await load({ onBegin: () => meter.begin(), onEnd: () => meter.end() })
  const operations = count * weight
  return { ...rest, throughput: throughput * weight, count: operations, ...meter.figures(operations) }
}

export interface TurnOptions<Connected> {
  /** Closed when the turn is over. */
  readonly client: Connected
  readonly operationOf: (client: Connected) => Operation
  readonly processes: readonly MeasuredProcess[]
  readonly shape: LoadShape
  readonly weight?: number
}

/** One turn: as long, and as long warmed up, as the context says. */
export async function takeTurn<Connected extends { close(): void }>(
  { seconds, warmupSeconds }: Pick<Context, 'seconds' | 'warmupSeconds'>,
  { client, operationOf, processes, shape, weight = 1 }: TurnOptions<Connected>,
): Promise<Measurement> {
  const operation = operationOf(client)
  try {
    return await measure(processes, (hooks) => runLoad(operation, shape, { seconds, warmupSeconds, ...hooks }), weight)
  } finally {
    client.close()
  }
}
