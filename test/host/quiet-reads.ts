import { pino } from 'pino'
import { Alarms } from '../../src/host/alarms.js'
import { REAL_RUNTIME } from '../../src/host/runtime.js'
import { SafeReads } from '../../src/host/safe-reads.js'

const logger = pino({ level: 'silent' })

/** For tests in which no read fails. */
export const QUIET_READS = new SafeReads(new Alarms({ runtime: REAL_RUNTIME, logger }), logger)
