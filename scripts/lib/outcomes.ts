import { formatTable } from '../../src/cli/output.js'
import type { Reaction } from './damage.js'

/** What was done to nodes, what it led to, and how long they took to serve again. */
export class Outcomes {
  /** By kind of damage, by what it led to. */
  readonly #counts = new Map<string, Map<string, number>>()
  /** By how a node came back: ms from the start of its process to its first answer. */
  readonly #serving = new Map<string, number[]>()

  note(kind: string, reaction: Reaction, code: string | undefined): void {
    const what = code === undefined || reaction !== 'stopped' ? reaction : `stopped, ${code}`
    const counts = this.#counts.get(kind) ?? new Map<string, number>()
    this.#counts.set(kind, counts)
    counts.set(what, (counts.get(what) ?? 0) + 1)
  }

  noteServing(how: string, ms: number): void {
    this.#serving.set(how, [...(this.#serving.get(how) ?? []), ms])
  }

  print(): void {
    const rows = [...this.#counts]
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([kind, counts]) => {
        const all = [...counts.values()].reduce((sum, count) => sum + count, 0)
        return [kind, String(all), [...counts].map(([what, count]) => `${what}: ${count}`).join(' · ')]
      })
    console.log(`\n${formatTable(['damage', 'times', 'led to'], rows)}\n`)
    const times = [...this.#serving].map(([how, list]) => {
      const sorted = list.toSorted((a, b) => a - b)
      const p50 = sorted[Math.floor((sorted.length - 1) / 2)] ?? 0
      return [how, String(list.length), `${Math.round(p50)} ms`, `${Math.round(sorted.at(-1) ?? 0)} ms`]
    })
    console.log(formatTable(['started again, and', 'times', 'serves, p50', 'max'], times))
  }
}
