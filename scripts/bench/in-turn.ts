/** The n-th of them, counted round and round. */
export function inTurn<T>(list: readonly T[], n: number): T {
  const item = list[n % list.length]
  if (item === undefined) throw new RangeError('there is one at least')
  return item
}
