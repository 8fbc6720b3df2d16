import type { Logger } from 'pino'
import type { MemberApi } from '../host/api.js'
import type { Runtime } from '../host/runtime.js'
import type { LocalReads, Operations } from './operation-calls.js'
import type { UntakenAnswers } from './untaken-answers.js'

/** The parts of a node that its session streams share. */
export interface SessionContext {
  readonly member: MemberApi
  readonly machine: LocalReads
  readonly operations: Operations
  readonly logger: Pick<Logger, 'error'>
  readonly untaken: UntakenAnswers
  readonly runtime: Pick<Runtime, 'nowMs' | 'defer'>
}
