/** Entries in a request: as many as a page may hold. */
export const PAGE_SIZE = 1_000

/** Returns the first `count` items, or all. Later pages are not requested. */
export async function take<T>(items: AsyncIterable<T>, count: number = Number.POSITIVE_INFINITY): Promise<T[]> {
  const taken: T[] = []
  for await (const item of items) {
    taken.push(item)
    if (taken.length >= count) break
  }
  return taken
}
