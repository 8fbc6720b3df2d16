/** A promise of Synod's that a run has seen broken, in one sentence. */
export class BrokenPromise extends Error {
  override readonly name = 'BrokenPromise'
}

/** @throws BrokenPromise unless it holds. */
export function promise(holds: boolean, whatWasBroken: () => string): asserts holds {
  if (!holds) throw new BrokenPromise(whatWasBroken())
}
