import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LatencyHistogram } from '../histogram.js'
import { ResourceMeter } from '../resources.js'
import type { Measurement } from '../types.js'

const BLOCK = Buffer.alloc(4_096, 'x')

/** Appends 4 KiB and has them synced, again and again, where the rivals keep their data: what any of them pays at least for a write. */
export function measureDisk(seconds: number): Measurement {
  const directory = mkdtempSync(join(tmpdir(), 'synod-bench-disk-'))
  const file = openSync(join(directory, 'file'), 'a')
  const histogram = new LatencyHistogram()
  const meter = new ResourceMeter([])
  meter.begin()
  const endMs = performance.now() + seconds * 1_000
  for (let nowMs = performance.now(); nowMs < endMs; ) {
    writeSync(file, BLOCK)
    fdatasyncSync(file)
    const afterMs = performance.now()
    histogram.record(afterMs - nowMs)
    nowMs = afterMs
  }
  meter.end()
  closeSync(file)
  rmSync(directory, { recursive: true })
  const { count } = histogram
  return { throughput: count / seconds, count, failed: 0, latency: histogram.latencies(), ...meter.figures(count) }
}
