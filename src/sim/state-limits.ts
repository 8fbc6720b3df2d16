import { SESSION_LIMITS } from '../machine/session-table.js'

/** Bounds of the replicated state, small enough for a world to reach them. */
export interface StateLimits {
  readonly sessionCountMax: number
  readonly answersPerSessionMax: number
}

/** The real ones, which no world reaches. */
export const STATE_LIMITS: StateLimits = Object.freeze({
  sessionCountMax: SESSION_LIMITS.sessionCountMax,
  answersPerSessionMax: SESSION_LIMITS.answersPerSessionMax,
})
