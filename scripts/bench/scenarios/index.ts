import type { Scenario } from '../scenario.js'
import { leaderKill } from './leader-kill.js'
import { putUnary } from './put-unary.js'
import { smallbank } from './smallbank.js'
import { ycsb } from './ycsb.js'

/** In the order in which they run. */
export const SCENARIOS: readonly Scenario[] = [putUnary, leaderKill, ycsb, smallbank]
