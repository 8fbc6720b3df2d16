import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ScrambledZipfian, scatter, Zipfian, zeta } from '../../scripts/bench/zipf.js'
import { Random } from '../../src/sim/random.js'

const DRAWS = 200_000

/** How often each number came, as a share of all. */
function sharesOf(next: () => number, count: number): number[] {
  const counts = Array.from({ length: count }, () => 0)
  for (let i = 0; i < DRAWS; i++) {
    const drawn = next()
    assert.ok(Number.isInteger(drawn) && drawn >= 0 && drawn < count, `${drawn} is one of ${count}`)
    counts[drawn] = (counts[drawn] ?? 0) + 1
  }
  return counts.map((n) => n / DRAWS)
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, n) => sum + n, 0)
}

/** Four standard deviations of a share. */
function tolerance(share: number): number {
  return 4 * Math.sqrt((share * (1 - share)) / DRAWS)
}

function assertNear(actual: number, expected: number, within: number, what: string): void {
  assert.ok(Math.abs(actual - expected) <= within, `${what}: ${actual} is ${expected} within ${within}`)
}

/** As YCSB's sources have it, in 64 bits. */
function ycsbHash(value: number, count: number): number {
  let hash = 0xcbf29ce484222325n
  for (let i = 0n; i < 8n; i++) {
    hash ^= (BigInt(value) >> (8n * i)) & 255n
    hash = (hash * 1_099_511_628_211n) & ((1n << 64n) - 1n)
  }
  const signed = BigInt.asIntN(64, hash)
  return Number((signed < 0n ? -signed : signed) % BigInt(count))
}

describe('a Zipfian generator', () => {
  for (const theta of [0.5, 0.99]) {
    it(`draws the first two ranks as often as the distribution says, and all others about so (theta ${theta})`, () => {
      const zipfian = new Zipfian(new Random(1), 1_000, theta)
      const shares = sharesOf(() => zipfian.next(), 1_000)
      const expected = shares.map((_, rank) => (rank + 1) ** -theta / zeta(1_000, theta))
      for (const rank of [0, 1]) {
        assertNear(shares[rank] ?? 0, expected[rank] ?? 0, tolerance(expected[rank] ?? 0), `rank ${rank}`)
      }
      for (const ranks of [10, 100, 500]) {
        const share = sumOf(expected.slice(0, ranks))
        // The method is an approximation between the second rank and the last.
        assertNear(sumOf(shares.slice(0, ranks)), share, tolerance(share) + 0.02, `the first ${ranks} ranks`)
      }
    })
  }

  it('gives the same numbers for the same seed', () => {
    const drawn = [1, 1, 2].map((seed) => {
      const zipfian = new ScrambledZipfian(new Random(seed), 1_000)
      return Array.from({ length: 100 }, () => zipfian.next())
    })
    assert.deepEqual(drawn[0], drawn[1])
    assert.notDeepEqual(drawn[0], drawn[2])
  })
})

describe('a scrambled Zipfian generator', () => {
  it('draws the same frequencies, at other places', () => {
    const zipfian = new ScrambledZipfian(new Random(3), 10_000)
    const shares = sharesOf(() => zipfian.next(), 10_000)
    const [first, second] = [0, 1].map((rank) => shares[scatter(rank, 10_000)] ?? 0)
    // Of the sequence that is scrambled, which is longer than the records are many; others may share their places.
    assertNear(first ?? 0, 1 / 26.469, tolerance(1 / 26.469) + 0.001, 'the most frequent')
    assertNear(second ?? 0, 0.5 ** 0.99 / 26.469, tolerance(0.02) + 0.001, 'the second')
    assertNear(sumOf(shares.slice(0, 5_000)), 0.5, 0.1, 'the lower half')
  })

  it('hashes as YCSB does', () => {
    const random = new Random(4)
    const values = [0, 1, 2, 255, 256, 9_999_999_999, ...Array.from({ length: 1_000 }, () => random.int(0, 9_999_999_999))]
    for (const value of values) {
      for (const count of [1, 7, 1_000, 2 ** 21]) assert.equal(scatter(value, count), ycsbHash(value, count), `${value} ${count}`)
    }
  })

  it('refuses more items than it can tell apart', () => {
    assert.throws(() => new ScrambledZipfian(new Random(1), 2 ** 21 + 1), RangeError)
  })
})
