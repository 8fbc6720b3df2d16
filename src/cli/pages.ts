/** How many entries are asked for at a time: as many as a page may hold. */
export const PAGE_SIZE = 1_000

/** The first `count` items, or all. Pages behind them are not asked for. */
export async function take<T>(items: AsyncIterable<T>, count: number = Number.POSITIVE_INFINITY): Promise<T[]> {
  const taken: T[] = []
  for await (const item of items) {
    taken.push(item)
    if (taken.length >= count) break
  }
  return taken
}
