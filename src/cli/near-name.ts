/** Returns ` (did you mean "compare"?)`, or nothing when none of the known names is near. */
export function suggestion(name: string, known: readonly string[]): string {
  const near = known
    .map((candidate) => ({ candidate, steps: distance(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, steps }) => steps <= Math.max(1, Math.floor(Math.min(name.length, candidate.length) / 3)))
    .toSorted((a, b) => a.steps - b.steps)[0]
  return near === undefined ? '' : ` (did you mean ${JSON.stringify(near.candidate)}?)`
}

/** Longest name that is compared: the table below stays small whatever is typed. */
const LENGTH_MAX = 64

/** Counts the letters that must be added, removed, changed, or swapped with their neighbour to turn one name into the other. */
function distance(a: string, b: string): number {
  if (a.length > LENGTH_MAX || b.length > LENGTH_MAX) return LENGTH_MAX
  const table = Array.from({ length: a.length + 1 }, (_, i) => Array.from({ length: b.length + 1 }, (_, j) => i + j))
  const at = (i: number, j: number): number => table[i]?.[j] ?? LENGTH_MAX
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const changed = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const exchanged = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? at(i - 2, j - 2) + 1 : LENGTH_MAX
      ;(table[i] as number[])[j] = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, changed, exchanged)
    }
  }
  return at(a.length, b.length)
}
