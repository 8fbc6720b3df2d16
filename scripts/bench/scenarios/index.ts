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

/**
 * In the order in which they run. Movements come after all else that shares a cluster in a quick run: the nodes are still writing them to
 * disk when the next scenario begins.
 */
export const SCENARIOS: readonly Scenario[] = [
  putUnary,
  putSdk,
  getUnary,
  getSdk,
  onePut,
  putEcho,
  connections,
  ycsb,
  smallbank,
  hotAccounts,
  tenThousandAccounts,
  transferBatch,
  leaderKill,
  stateGrowth,
  disturbances,
  overload,
]
