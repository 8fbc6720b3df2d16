import type { Duration } from '../gen/google/protobuf/duration.js'

/** In whole milliseconds, rounded down. */
export function durationMs({ seconds, nanos }: Duration): number {
  return Number(seconds) * 1_000 + Math.floor(nanos / 1_000_000)
}
