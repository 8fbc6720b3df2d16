import type { Scenario } from '../scenario.js'
import { connections } from './connections.js'
import { disturbances } from './disturbances.js'
import { leaderKill } from './leader-kill.js'
import { putUnary } from './put-unary.js'
import { smallbank } from './smallbank.js'
import { stateGrowth } from './state-growth.js'
import { ycsb } from './ycsb.js'

/** In the order in which they run. */
export const SCENARIOS: readonly Scenario[] = [putUnary, leaderKill, stateGrowth, connections, disturbances, ycsb, smallbank]
