import type { Scenario } from '../scenario.js'
import { connections } from './connections.js'
import { disturbances } from './disturbances.js'
import { getSdk, getUnary, putSdk, putUnary } from './keys.js'
import { leaderKill } from './leader-kill.js'
import { onePut } from './one-put.js'
import { overload } from './overload.js'
import { putEcho } from './put-echo.js'
import { smallbank } from './smallbank.js'
import { stateGrowth } from './state-growth.js'
import { transferBatch } from './transfer-batch.js'
import { hotAccounts, tenThousandAccounts } from './transfers.js'
import { ycsb } from './ycsb.js'

/** In the order in which they run. */
export const SCENARIOS: readonly Scenario[] = [
  hotAccounts,
  tenThousandAccounts,
  transferBatch,
  putUnary,
  putSdk,
  getUnary,
  getSdk,
  onePut,
  leaderKill,
  putEcho,
  stateGrowth,
  connections,
  disturbances,
  ycsb,
  smallbank,
  overload,
]
