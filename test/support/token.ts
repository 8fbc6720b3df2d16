/** The token of every session in tests that have no need of another. */
export const TOKEN: Uint8Array = new Uint8Array(16).fill(7)
