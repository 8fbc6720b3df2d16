// YCSB's core workloads on single keys: Cooper et al., "Benchmarking cloud serving systems with YCSB" (SoCC '10). A, B and C are the
// paper's; F came with the program. Records of 1,000 bytes are chosen by a scrambled Zipfian distribution (theta 0.99).
//
// Two things are scaled. There are far fewer records than the paper's 120 million. And a record is one value of 1,000 bytes where YCSB
// has ten fields of 100: an update, which there writes one field, writes the whole value here, on every rival.
import { Random } from '../../../src/sim/random.js'
import { forEach, valueOf } from '../../lib/bank-load.js'
import { inTurn } from '../in-turn.js'
import type { KeyClient, Operation } from '../types.js'
import { ScrambledZipfian } from '../zipf.js'

const VALUE_BYTES = 1_000
/** Values that updates take in turn. */
const VALUES = 64

export interface YcsbMix {
  readonly name: 'A' | 'B' | 'C' | 'F'
  readonly title: string
  /** Of all operations; the others write. */
  readonly readShare: number
  /** What the others do. F reads a record and then writes it, as YCSB does: two calls, and not atomic. */
  readonly write: 'update' | 'readModifyWrite'
}

export const YCSB_MIXES: readonly YcsbMix[] = [
  { name: 'A', title: '50 % reads, 50 % updates', readShare: 0.5, write: 'update' },
  { name: 'B', title: '95 % reads, 5 % updates', readShare: 0.95, write: 'update' },
  { name: 'C', title: 'reads only', readShare: 1, write: 'update' },
  { name: 'F', title: '50 % reads, 50 % read-modify-writes', readShare: 0.5, write: 'readModifyWrite' },
]

/** Puts every record. */
export async function loadYcsb(client: KeyClient, records: number, inFlight: number): Promise<void> {
  await forEach(records, inFlight, (i) => client.put(recordOf(i), valueOf(i, VALUE_BYTES)))
}

export function ycsbOperation(client: KeyClient, mix: YcsbMix, records: number, seed: number): Operation {
  const random = new Random(seed)
  const chosen = new ScrambledZipfian(random, records)
  const values = Array.from({ length: VALUES }, (_, i) => valueOf(i, VALUE_BYTES))
  return (n) => {
    const key = recordOf(chosen.next())
    if (random.next() < mix.readShare) return client.get(key)
    const value = inTurn(values, n)
    return mix.write === 'update' ? client.put(key, value) : readModifyWrite(client, key, value)
  }
}

async function readModifyWrite(client: KeyClient, key: string, value: Uint8Array): Promise<unknown> {
  await client.get(key)
  return await client.put(key, value)
}

function recordOf(i: number): string {
  return `user${i}`
}
