import type { LoadOptions, LoadResult } from './load.js'
import { ResourceMeter } from './resources.js'
import type { MeasuredProcess, Measurement } from './types.js'

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
