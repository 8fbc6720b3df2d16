import type { Scenario } from '../scenario.js'
import { getSdk, getUnary, putSdk, putUnary } from './keys.js'
import { onePut } from './one-put.js'
import { putEcho } from './put-echo.js'
import { transferBatch } from './transfer-batch.js'
import { hotAccounts, tenThousandAccounts } from './transfers.js'

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
  putEcho,
]
