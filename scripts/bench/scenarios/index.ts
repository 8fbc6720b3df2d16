import type { Scenario } from '../scenario.js'
import { putUnary } from './put-unary.js'

/** In the order in which they run. */
export const SCENARIOS: readonly Scenario[] = [putUnary]
