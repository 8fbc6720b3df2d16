import { pino } from 'pino'
import { Alarms } from '../../src/host/alarms.js'
import { SafeReads } from '../../src/host/requests/safe-reads.js'
import { REAL_RUNTIME } from '../../src/host/runtime.js'

const logger = pino({ level: 'silent' })

/** For tests in which no read fails. */
export const QUIET_READS = new SafeReads(new Alarms({ runtime: REAL_RUNTIME, logger }), logger)
