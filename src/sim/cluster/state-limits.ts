import { FIRST_ANSWER_LIMITS } from '../../app/first-answers.js'
import { SESSION_LIMITS } from '../../replication/session-table.js'

/** Bounds of the replicated state, small enough for a world to reach them. */
export interface StateLimits {
  readonly sessionCountMax: number
  readonly answersPerSessionMax: number
  /** Maximum number of first answers by request_id. */
  readonly firstAnswersMax: number
}

/** The real bounds, which no world reaches. */
export const STATE_LIMITS: StateLimits = Object.freeze({
  sessionCountMax: SESSION_LIMITS.sessionCountMax,
  answersPerSessionMax: SESSION_LIMITS.answersPerSessionMax,
  firstAnswersMax: FIRST_ANSWER_LIMITS.countMax,
})
