/**
 * The level of a log: a small integer from 1 that says which commands, fields, bounds, results and row formats there are. It is replicated
 * state: genesis sets it, the log raises it, nothing lowers it. At one level every binary that knows it does the same, for ever, so what
 * `apply` does may depend on the level and never on the binary. A binary that changes any of it brings a new level, does the new only from
 * that level on, and goes on doing the old below it; LEVELS says what each has brought. A level may add and raise bounds, but not make a
 * request invalid that was valid: a late retry of a bare one would be refused as if it had never been carried out.
 *
 * The log raises it by an envelope of its own (RaiseLevel) within a batch, not by a kind of value: the core need not know of it, time and
 * order are those of any command, and it is in force for the very next command of the same slot. It needs no session, unlike the quota, as
 * raising it twice is raising it once.
 */

/** Levels that a binary knows, each with what it brought. Never changed, only added to. */
export const LEVELS: readonly { readonly level: number; readonly version: string; readonly brought: string }[] = [
  { level: 1, version: '0.1.0', brought: 'the first release: all that there is' },
]

/** The lowest level that this binary knows. */
export const LEVEL_MIN = 1
/** The highest level that this binary's bank and keys know. */
export const LEVEL_MAX = LEVELS.length

/** The levels that a binary knows, both ends included. */
export interface LevelRange {
  readonly levelMin: number
  readonly levelMax: number
}

/** The levels that this binary's bank and keys know. */
export const KNOWN_LEVELS: LevelRange = Object.freeze({ levelMin: LEVEL_MIN, levelMax: LEVEL_MAX })

/** A level in force, and the version of the binary that raised it. */
export interface RaisedLevel {
  readonly level: number
  /** For people; may be empty. */
  readonly levelVersion: string
}

/** A level takes four bytes at most. */
export const LEVEL_NUMBER_MAX = 2 ** 32 - 1

export function knowsLevel({ levelMin, levelMax }: LevelRange, level: number): boolean {
  return level >= levelMin && level <= levelMax
}

/** The part that raising the level adds to the digest of the state: a node that has missed it has another digest. */
export function resultOfRaise(level: number): Uint8Array {
  return Uint8Array.of(level >>> 24, level >>> 16, level >>> 8, level)
}
